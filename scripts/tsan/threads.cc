// What native code shares between threads, used from many at once, under ThreadSanitizer: npm run test:tsan. Libtorch
// is not instrumented; of it, TSan sees locks, threads and what is freed.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/library.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "distributed/group.h"
#include "distributed/moments.h"
#include "distributed/reducer.h"
#include "environment.h"
#include "errors.h"
#include "kernels/engine.h"
#include "library.h"

// Of Node-API, the only function that the sources call.
extern "C" napi_status napi_delete_reference(node_api_basic_env, napi_ref) { return napi_ok; }

namespace srrl {

std::string ownName(const std::string& name) { return name; }

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

constexpr int kThreads = 4;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::exit(2);
}

// `body` on several threads at once, with the number of each.
void together(const std::function<void(int)>& body, int count = kThreads) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; i++) threads.emplace_back(body, i);
  for (std::thread& thread : threads) thread.join();
}

template <typename Result, typename... Arguments>
Result call(const char* name, Arguments... arguments) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Result(Arguments...)>().call(arguments...);
}

Tensor map(int64_t channels) { return at::randn({4, channels, 12, 12}).contiguous(at::MemoryFormat::ChannelsLast); }

// Convolution, normalization and their gradients by several threads, each with a team of its own.
void networks() {
  together([](int) {
    for (int round = 0; round < 3; round++) {
      const Tensor x = map(32).requires_grad_(true), weight = at::randn({32, 32, 3, 3}).requires_grad_(true);
      const Tensor scale = at::ones({32}).requires_grad_(true), shift = at::zeros({32}).requires_grad_(true);
      const OptionalTensor none, mean = at::zeros({32}), variance = at::ones({32});
      const Tensor maps =
          call<Tensor, const Tensor&, const Tensor&, const OptionalTensor&>("srrl::conv3x3", x, weight, none);
      const Tensor made = call<Tensor, const Tensor&, const Tensor&, const Tensor&, const OptionalTensor&,
                               const OptionalTensor&, const OptionalTensor&, double, double, const OptionalTensor&>(
          "srrl::batch_norm_relu", maps, scale, shift, mean, variance, none, 0.1, 1e-5, none);
      torch::autograd::backward({made.sum()}, {});
      require(weight.grad().isfinite().all().item<bool>(), "a gradient is a number");
    }
  });
}

// Another width of vectors while convolutions run: results may be of either.
void lanes() {
  std::atomic<bool> ends = false;
  std::thread changer([&] {
    for (int64_t width = 0; !ends; width = (width + 8) % 24) call<int64_t, int64_t>("srrl::vector_lanes", width);
  });
  together([](int) {
    const OptionalTensor none;
    for (int round = 0; round < 5; round++)
      call<Tensor, const Tensor&, const Tensor&, const OptionalTensor&>("srrl::conv3x3", map(32),
                                                                        at::randn({32, 32, 3, 3}), none);
  });
  ends = true;
  changer.join();
  call<int64_t, int64_t>("srrl::vector_lanes", 16);
}

// What a loader does: views of shared images, and JPEG files that are decoded into parts of one batch.
void loader(const std::vector<uint8_t>& file, const char* turboJpeg) {
  const Tensor images = at::randint(256, {64, 3, 8, 8}, at::kByte);
  const Tensor batch = at::zeros({kThreads, 8, 8, 3}, at::kByte);
  const Tensor bytes = at::from_blob(const_cast<uint8_t*>(file.data()), {static_cast<int64_t>(file.size())}, at::kByte);
  together([&](int thread) {
    using Doubles = at::ArrayRef<double>;
    const std::vector<double> mean(3, 0.5), deviation(3, 0.25);
    for (int64_t epoch = 0; epoch < 4; epoch++) {
      const Tensor order = call<Tensor, int64_t, int64_t, int64_t>("srrl::epoch_order", 64, 1, epoch);
      call<Tensor, const Tensor&, const Tensor&, Doubles, Doubles, int64_t, bool, int64_t, int64_t>(
          "srrl::normalized_views", images, order, mean, deviation, 2, true, 1, epoch);
      require(call<bool, c10::string_view>("srrl::open_turbo_jpeg", turboJpeg), "libjpeg-turbo is there");
      const auto [width, height] = call<std::tuple<int64_t, int64_t>, const Tensor&>("srrl::jpeg_size", bytes);
      const std::array<int64_t, 4> box{0, 0, width, height};
      const std::array<int64_t, 2> resized{8, 8}, offset{0, 0};
      call<void, const Tensor&, Tensor, at::IntArrayRef, int64_t, at::IntArrayRef, at::IntArrayRef>(
          "srrl::decode_jpeg", bytes, batch[thread], box, 1, resized, offset);
    }
  });
  require(batch[0].equal(batch[kThreads - 1]), "threads decode alike");
}

// Buffers and functions of JavaScript's, whose last tensor dies on any thread.
void references() {
  BufferReaper reaper;
  std::atomic<bool> ends = false;
  std::thread owner([&] {
    while (!ends) reaper.drain(nullptr);
  });
  together([&](int) {
    for (int i = 0; i < 1000; i++) reaper.retire(nullptr);
  });
  ends = true;
  owner.join();

  std::shared_ptr<Life> life;
  std::thread environment([&] {
    const auto own = std::make_shared<Life>();
    require(own->isHere() && !own->ended(), "a life is where it began");
    std::thread watcher([own] {
      while (!own->ended()) require(!own->isHere(), "a life is in one thread");
    });
    own->end();
    watcher.join();
    life = own;
  });
  environment.join();
  require(life->ended(), "a life ends");
}

class Nothing : public kernels::Engine {
 public:
  void launch(const std::string&, const kernels::Shape&, const void*, size_t, at::TensorList) override {}
};

// Kernels of a device: which are trusted, and their counters.
void engines() {
  const Tensor on = at::empty({1}, at::kMeta);
  std::atomic<int> compared = 0;
  together([&](int thread) {
    kernels::install(c10::Device(at::kMeta), std::make_unique<Nothing>());
    kernels::enable(true);
    for (int i = 0; i < 200; i++) {
      require(kernels::engineFor(on) != nullptr, "an engine stays installed");
      require(kernels::trusted(on, "kind " + std::to_string(i % 7), [&] { return ++compared > 0; }),
              "a verdict is the same for all");
      require(kernels::counters(on, 1 + thread).numel() == 1 + thread, "counters are as many as asked for");
      if (i % 50 == 0) {
        kernels::capturing(true);
        kernels::capturing(false);
      }
      kernels::verdicts();
    }
  });
}

distributed::GroupSetup setupOf(int rank, int port) {
  distributed::GroupSetup setup;
  setup.address = "127.0.0.1";
  setup.host = "here";
  setup.prefix = "tsan";
  setup.port = port;
  setup.hostsStore = rank == 0;
  setup.rank = rank;
  setup.size = 2;
  setup.timeout = distributed::Milliseconds(30000);
  return setup;
}

// Two ranks in one process: heartbeats, collectives, gradients of both, and a rank that ends the wait of another
// thread.
void ranks(int port) {
  together(
      [&](int rank) {
        const auto group = std::make_shared<distributed::Group>(setupOf(rank, port));
        std::thread trainer([&] {
          for (int step = 0; step < 100; step++) group->reached(step);
        });
        for (int round = 0; round < 5; round++) {
          const Tensor all = group->gathered(at::full({3}, rank), "a test");
          require(all.sum().item<int64_t>() == 3, "both ranks are gathered");
        }
        trainer.join();
        std::vector<Tensor> parameters;
        for (int i = 0; i < 6; i++) parameters.push_back(at::ones({100}).requires_grad_(true));
        distributed::ReducerOptions options;
        options.bucketBytes = options.firstBucketBytes = 800;
        distributed::Reducer reducer(group, parameters, options);
        std::atomic<bool> ends = false;
        std::thread meter([&] {
          while (!ends) reducer.takeTimes();
        });
        for (int step = 0; step < 5; step++) {
          for (Tensor& parameter : parameters) parameter.mutable_grad().reset();
          reducer.arm();
          Tensor loss = at::zeros({});
          for (const Tensor& parameter : parameters) loss = loss + parameter.sum() * (rank + 1);
          torch::autograd::backward({loss}, {});
          reducer.finish();
          require(parameters[0].grad()[0].item<float>() == 1.5f, "gradients are means");
        }
        ends = true;
        meter.join();
        // The other rank never comes.
        if (rank == 0) {
          std::thread stopper([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(300));
            group->abort();
          });
          try {
            group->gathered(at::ones({1}), "a test that is stopped");
            require(false, "an aborted wait throws");
          } catch (const Error&) {
          }
          stopper.join();
        } else {
          std::this_thread::sleep_for(std::chrono::seconds(1));
          group->fail("it is a test");
        }
      },
      2);
}

// The group of the process, taken and left by several threads.
void currentGroup() {
  together([](int thread) {
    for (int i = 0; i < 100; i++) {
      if (thread == 0)
        distributed::setCurrentGroup(nullptr);
      else
        require(!distributed::currentGroupOrNull(), "there is no group");
      distributed::jointSums(at::ones({2}));
    }
  });
}

}  // namespace

}  // namespace srrl

// threads <libjpeg-turbo> <JPEG file> <free port>
int main(int, char** arguments) {
  using namespace srrl;
  static torch::Library library(torch::Library::DEF, "srrl", std::nullopt, __FILE__, __LINE__);
  for (const auto define : {defineConv3x3, defineJpeg, defineLanes, defineNormRelu, defineViews}) define(library);
  std::vector<uint8_t> file;
  std::FILE* from = std::fopen(arguments[2], "rb");
  require(from, "the JPEG file is there");
  for (int byte = std::fgetc(from); byte >= 0; byte = std::fgetc(from)) file.push_back(static_cast<uint8_t>(byte));
  std::fclose(from);

  const std::pair<const char*, std::function<void()>> scenarios[] = {
      {"networks", networks},         {"lanes", lanes},     {"loader", [&] { loader(file, arguments[1]); }},
      {"references", references},     {"engines", engines}, {"ranks", [&] { ranks(std::atoi(arguments[3])); }},
      {"currentGroup", currentGroup},
  };
  for (const auto& [name, run] : scenarios) {
    run();
    std::printf("%s: ran\n", name);
    std::fflush(stdout);
  }
  return 0;
}
