// State of one JavaScript environment (the main thread or one worker): the table of values that JavaScript holds
// by number, and the scopes that free them.
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

// A slot number with the generation of its use, exactly representable as a JavaScript number. 0 is never valid.
using Handle = uint64_t;

// 0 for a number that cannot be a handle.
Handle toHandle(double number) noexcept;

class HandleTable {
 public:
  // The value lives until it is released, or until the innermost scope that is open now ends.
  Handle insert(c10::IValue value);
  // Throws Error(kDisposed) where the handle was released or never was one of this environment.
  const c10::IValue& at(Handle handle) const;
  const at::Tensor& tensor(Handle handle) const;
  bool alive(Handle handle) const noexcept;
  void release(Handle handle) noexcept;

  void pushScope();
  // Frees what the innermost scope made, except `escaping`, which the enclosing scope (or nobody) owns from then on.
  void popScope(const std::vector<Handle>& escaping);
  // No scope owns it any more.
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
    uint32_t scope = 0;  // depth of the owning scope; 0: none
    bool used = false;
  };
  const Slot* find(Handle handle) const noexcept;
  Slot* find(Handle handle) noexcept;
  void own(Handle handle, Slot& slot, uint32_t depth);

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<std::vector<Handle>> scopes_;
};

// Whether an environment still runs, and where. Functions of JavaScript's outlive their environment in graphs that
// other threads hold; neither its address nor its thread's id says that it is the same one, as both are used again.
class Life {
 public:
  Life();
  uint64_t id() const { return id_; }
  bool ended() const { return ended_; }
  // Whether this is the thread that the environment runs in, and it still does.
  bool isHere() const noexcept;
  // Called by the environment's own thread.
  void end() noexcept;

 private:
  const uint64_t id_;  // counted up over the whole process
  std::atomic<bool> ended_ = false;
};

// References to JavaScript buffers that tensors look into. A tensor can die on any thread, a reference only on its own.
class BufferReaper {
 public:
  void retire(napi_ref reference);
  void drain(napi_env env);

 private:
  std::mutex mutex_;
  std::vector<napi_ref> retired_;
};

// What an autocast region restores when it ends.
struct AutocastState {
  c10::DeviceType device;
  bool enabled;
  at::ScalarType dtype;
  bool cache;
};

// A call whose arguments are known except for its tensors.
struct PreparedCall {
  const Operator* op;
  c10::Stack stack;
  std::vector<size_t> tensors;  // their places in the stack
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
  bool cleansProfile = false;         // a hook ends the profile that this environment records
  bool callsBack = false;             // a graph may hold functions of JavaScript's
  c10::Stack spareStack;              // memory of the last call's, for the next
  Napi::FunctionReference makeError;  // (kind, message) => Error

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

}  // namespace srrl
