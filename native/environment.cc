#include "environment.h"

#include <algorithm>

#include "errors.h"

namespace srrl {

namespace {

constexpr unsigned kIndexBits = 24;
constexpr uint64_t kIndexMask = (uint64_t{1} << kIndexBits) - 1;
constexpr uint32_t kLastGeneration = (uint32_t{1} << 29) - 1;  // 24 + 29 = 53 bits, as in a JavaScript number

uint32_t indexOf(Handle handle) { return static_cast<uint32_t>(handle & kIndexMask); }
uint64_t generationOf(Handle handle) { return handle >> kIndexBits; }

// Lives of the environments on this thread. It has several if several copies of the JavaScript code are loaded.
thread_local std::vector<uint64_t> livesHere;

uint64_t freshId() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

}  // namespace

Handle toHandle(double number) noexcept {
  constexpr double kTwoTo53 = 9007199254740992.0;
  return number > 0 && number < kTwoTo53 ? static_cast<Handle>(number) : 0;
}

Life::Life() : id_(freshId()) { livesHere.push_back(id_); }

bool Life::isHere() const noexcept { return std::find(livesHere.begin(), livesHere.end(), id_) != livesHere.end(); }

void Life::end() noexcept {
  ended_ = true;
  std::erase(livesHere, id_);
}

const HandleTable::Slot* HandleTable::find(Handle handle) const noexcept {
  const uint32_t index = indexOf(handle);
  if (index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[index];
  return slot.used && slot.generation == generationOf(handle) ? &slot : nullptr;
}

HandleTable::Slot* HandleTable::find(Handle handle) noexcept {
  return const_cast<Slot*>(static_cast<const HandleTable*>(this)->find(handle));
}

void HandleTable::own(Handle handle, Slot& slot, uint32_t depth) {
  slot.scope = depth;
  if (depth == 0) return;
  auto& [made, limit] = scopes_[depth - 1];
  made.push_back(handle);
  if (made.size() < limit) return;
  std::erase_if(made, [&](Handle one) {
    const Slot* known = find(one);
    return !known || known->scope != depth;
  });
  limit = std::max(kLeastLimit, 2 * made.size());
}

Handle HandleTable::insert(c10::IValue value) {
  uint32_t index;
  if (free_.empty()) {
    if (slots_.size() > kIndexMask) throw Error(kState, "more than 16777216 values are alive at once");
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.value = std::move(value);
  slot.used = true;
  const Handle handle = (uint64_t{slot.generation} << kIndexBits) | index;
  own(handle, slot, static_cast<uint32_t>(scopes_.size()));
  return handle;
}

const c10::IValue& HandleTable::at(Handle handle) const {
  const Slot* slot = find(handle);
  if (!slot) throw Error(kDisposed, "it was disposed, or the scope that it was made in has ended");
  return slot->value;
}

const at::Tensor& HandleTable::tensor(Handle handle) const {
  const c10::IValue& value = at(handle);
  if (!value.isTensor()) throw Error(kType, "expected a Tensor, got a " + value.tagKind());
  return value.toTensor();
}

bool HandleTable::alive(Handle handle) const noexcept { return find(handle) != nullptr; }

void HandleTable::release(Handle handle) noexcept {
  Slot* slot = find(handle);
  if (!slot) return;
  // Destructors of the value can run arbitrary code, so the slot must be consistent before they run.
  const c10::IValue dying = std::move(slot->value);
  slot->value = c10::IValue();
  slot->used = false;
  slot->scope = 0;
  if (slot->generation == kLastGeneration) return;  // used up: an old handle must never match again
  slot->generation++;
  free_.push_back(indexOf(handle));
}

void HandleTable::pushScope() { scopes_.emplace_back(); }

void HandleTable::popScope(const std::vector<Handle>& escaping) {
  if (scopes_.empty()) throw Error(kState, "no scope is open");
  const auto depth = static_cast<uint32_t>(scopes_.size());
  for (Handle handle : escaping) {
    Slot* slot = find(handle);
    if (slot && slot->scope == depth) own(handle, *slot, depth - 1);
  }
  const std::vector<Handle> made = std::move(scopes_.back().made);
  scopes_.pop_back();
  // In reverse order, so that malloc hands out recently used, cached memory to the next scope.
  for (auto handle = made.rbegin(); handle != made.rend(); ++handle) {
    const Slot* slot = find(*handle);
    if (slot && slot->scope == depth) release(*handle);
  }
}

void HandleTable::keep(Handle handle) {
  at(handle);
  find(handle)->scope = 0;
}

void BufferReaper::retire(napi_ref reference) {
  const std::lock_guard<std::mutex> lock(mutex_);
  retired_.push_back(reference);
}

void BufferReaper::drain(napi_env env) {
  std::vector<napi_ref> dead;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    dead.swap(retired_);
  }
  for (napi_ref reference : dead) napi_delete_reference(env, reference);
}

}  // namespace srrl
