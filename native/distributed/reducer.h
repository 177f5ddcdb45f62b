// Averages gradients over all ranks in buckets, while the backward pass is still running.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include <memory>
#include <mutex>
#include <vector>

#include "distributed/group.h"

namespace torch::autograd {
struct Node;
}

namespace srrl::distributed {

struct ReducerOptions {
  int64_t bucketBytes = 25 << 20, firstBucketBytes = 1 << 20;
  // Whether a backward pass may skip parameters. Their gradients count as zero; they stay undefined if no rank has one.
  bool findUnused = false;
};

class Reducer {
 public:
  Reducer(std::shared_ptr<Group> group, std::vector<at::Tensor> parameters, const ReducerOptions& options);
  ~Reducer();

  // The next backward pass reduces the gradients that it accumulates.
  void arm();
  // Waits for all buckets and stores the mean gradients in the parameters.
  void finish();

  struct Times {
    double communicated = 0, waited = 0;  // seconds
  };
  // Returns the times of all passes since the last call.
  Times takeTimes();
  size_t bucketCount() const { return buckets_.size(); }

 private:
  struct Bucket {
    std::vector<size_t> members;
    at::Tensor buffer;
    std::vector<at::Tensor> views;  // of the buffer, one per member
    size_t missing = 0;
    c10::intrusive_ptr<c10d::Work> work;
  };
  struct Clock;

  void fill(const ReducerOptions& options);
  void ready(size_t parameter);
  void launch(Bucket& bucket);

  std::shared_ptr<Group> group_;
  std::vector<at::Tensor> parameters_;
  const bool findUnused_;
  std::vector<Bucket> buckets_;
  std::vector<size_t> bucketOf_;
  std::vector<std::shared_ptr<void>> accumulators_;  // parameters do not own their accumulators
  std::vector<std::pair<torch::autograd::Node*, uintptr_t>> hooks_;
  std::shared_ptr<Clock> clock_;
  std::mutex mutex_;
  std::vector<bool> done_;
  bool armed_ = false;
  size_t next_ = 0;
};

}  // namespace srrl::distributed
