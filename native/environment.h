// State of one JavaScript environment (the main thread or a worker): the table of values that JavaScript holds by
// handle, and the scopes that free them.
#pragma once

#include <ATen/core/ivalue.h>
#include <ATen/core/stack.h>
#include <c10/core/InferenceMode.h>
#include <napi.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "operators.h"

namespace srrl {

// A slot number and the slot's generation, exactly representable as a JavaScript number. 0 is never valid.
using Handle = uint64_t;

// Returns 0 for a number that cannot be a handle.
Handle toHandle(double number) noexcept;

class HandleTable {
 public:
  // The value lives until it is released or until the scope that is innermost now ends.
  Handle insert(c10::IValue value);
  // Throws Error(kDisposed) if the handle was released or does not belong to this environment.
  const c10::IValue& at(Handle handle) const;
  const at::Tensor& tensor(Handle handle) const;
  bool alive(Handle handle) const noexcept;
  void release(Handle handle) noexcept;

  void pushScope();
  // Frees what the innermost scope owns. The handles in `escaping` move to the enclosing scope, if there is one.
  void popScope(const std::vector<Handle>& escaping);
  // Removes a handle from its scope, so that only release() frees it.
  void keep(Handle handle);
  size_t scopeDepth() const noexcept { return scopes_.size(); }

  template <typename Visit>
  void forEach(Visit visit) const {
    for (const auto& slot : slots_) {
      if (slot.used) visit(slot.value);
    }
  }

 private:
  struct Slot {
    c10::IValue value;
    uint32_t generation = 1;
    uint32_t scope = 0;  // depth of the owning scope; 0 means none
    bool used = false;
  };
  const Slot* find(Handle handle) const noexcept;
  Slot* find(Handle handle) noexcept;
  void own(Handle handle, Slot& slot, uint32_t depth);

  // Handles made in a scope, also those that were released or kept since. From `limit` on, these are dropped, so that a
  // long loop within one scope does not fill memory.
  static constexpr size_t kLeastLimit = 1024;
  struct Scope {
    std::vector<Handle> made;
    size_t limit = kLeastLimit;
  };

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<Scope> scopes_;
};

// Whether an environment still runs, and on which thread. Graphs that other threads hold can keep JavaScript functions
// beyond the end of their environment. Addresses and thread ids are reused, so they cannot identify an environment.
class Life {
 public:
  Life();
  uint64_t id() const { return id_; }
  bool ended() const { return ended_; }
  // Whether the environment still runs, and this is its thread.
  bool isHere() const noexcept;
  // Called on the environment's own thread.
  void end() noexcept;

 private:
  const uint64_t id_;  // unique within the process
  std::atomic<bool> ended_ = false;
};

// References to JavaScript buffers and functions whose native owner is gone. The owner can die on any thread, but a
// reference must be deleted on the thread of its environment: retire() queues it, drain() deletes.
class BufferReaper {
 public:
  void retire(napi_ref reference);
  void drain(napi_env env);

 private:
  std::mutex mutex_;
  std::vector<napi_ref> retired_;
};

// The state that popAutocast() restores.
struct AutocastState {
  c10::DeviceType device;
  bool enabled;
  at::ScalarType dtype;
  bool cache;
};

// A call whose arguments are all fixed except the tensors.
struct PreparedCall {
  const Operator* op;
  c10::Stack stack;
  std::vector<size_t> tensors;  // their positions in the stack
};

struct Environment {
  ~Environment() { life->end(); }

  const std::shared_ptr<Life> life = std::make_shared<Life>();
  HandleTable handles;
  OperatorTable operators;
  std::deque<PreparedCall> prepared;
  std::shared_ptr<BufferReaper> buffers = std::make_shared<BufferReaper>();
  std::vector<std::unique_ptr<c10::InferenceMode>> inferenceModes;
  std::vector<AutocastState> autocasts;
  bool cleansProfile = false;         // whether the cleanup hook is installed that ends this environment's profile
  bool callsBack = false;             // a graph may hold JavaScript functions
  c10::Stack spareStack;              // reuses the memory of the last call's stack
  Napi::FunctionReference makeError;  // (kind, message) => Error

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

}  // namespace srrl
