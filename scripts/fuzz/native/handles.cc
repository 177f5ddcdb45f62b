// The table of values that JavaScript holds by number: any sequence of calls, compared with a list that never forgets.
// Sources: native/environment.cc native/messages.cc
// Libraries: torch
#include "environment.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "errors.h"
#include "input.h"

using srrl::Handle;
using srrl::HandleTable;
using srrl::fuzz::Input;
using srrl::fuzz::require;

// Of Node-API, the only function that the sources call.
extern "C" napi_status napi_delete_reference(node_api_basic_env, napi_ref) { return napi_ok; }

namespace {

struct Known {
  int64_t value;
  size_t scope;  // the depth of its owner
  bool alive = true;
};

class Session {
 public:
  void step(Input& input) {
    switch (input.below(8)) {
      case 0:
      case 1: insert(input.number<int64_t>()); break;
      case 2: release(pick(input)); break;
      case 3: push(); break;
      case 4: pop(input); break;
      case 5: keep(pick(input)); break;
      case 6: look(pick(input)); break;
      default: convert(input.number<double>());
    }
  }

  // Everything that is known is as the table says.
  void compare() {
    size_t alive = 0;
    for (const auto& [handle, known] : known_) {
      require(table_.alive(handle) == known.alive, "a value lives until its scope ends or it is released");
      if (known.alive) require(table_.at(handle).toInt() == known.value, "a handle has its own value");
      alive += known.alive;
    }
    size_t visited = 0;
    table_.forEach([&](const c10::IValue&) { visited++; });
    require(visited == alive, "no value is left behind");
    require(table_.scopeDepth() == depth_, "scopes nest");
  }

 private:
  void insert(int64_t value) {
    const Handle handle = table_.insert(value);
    require(!known_.contains(handle), "no handle is given out twice");
    require(srrl::toHandle(static_cast<double>(handle)) == handle, "a handle is a number of JavaScript's");
    known_[handle] = {value, depth_};
    handles_.push_back(handle);
  }

  // One that was given out, or any number.
  Handle pick(Input& input) {
    if (handles_.empty() || input.below(8) == 0) return input.number<uint64_t>();
    return handles_[input.below(handles_.size())];
  }

  void release(Handle handle) {
    table_.release(handle);
    if (known_.contains(handle)) known_[handle].alive = false;
  }

  void push() {
    table_.pushScope();
    depth_++;
  }

  void pop(Input& input) {
    std::vector<Handle> escaping;
    for (int64_t i = input.below(4); i > 0; i--) escaping.push_back(pick(input));
    try {
      table_.popScope(escaping);
    } catch (const srrl::Error&) {
      require(depth_ == 0, "a scope that is open can end");
      return;
    }
    for (auto& [handle, known] : known_) {
      if (known.scope != depth_ || !known.alive) continue;
      if (std::find(escaping.begin(), escaping.end(), handle) != escaping.end())
        known.scope--;
      else
        known.alive = false;
    }
    depth_--;
  }

  void keep(Handle handle) {
    const auto found = known_.find(handle);
    const bool alive = found != known_.end() && found->second.alive;
    try {
      table_.keep(handle);
      require(alive, "only what lives can be kept");
      found->second.scope = 0;
    } catch (const srrl::Error&) {
      require(!alive, "what lives can be kept");
    }
  }

  void look(Handle handle) {
    const auto found = known_.find(handle);
    const bool alive = found != known_.end() && found->second.alive;
    try {
      table_.tensor(handle);
      require(false, "an integer is no tensor");
    } catch (const srrl::Error& error) {
      require((std::string_view(error.kind) == srrl::kType) == alive, "the error says whether the value lives");
    }
  }

  static void convert(double number) {
    const Handle handle = srrl::toHandle(number);
    require(handle < uint64_t{1} << 53, "a handle fits into a double");
    if (number >= 1 && number < 9007199254740992.0)
      require(handle == static_cast<Handle>(number), "a handle is the number's whole part");
    else
      require(handle == 0, "what is no handle is 0");
  }

  HandleTable table_;
  std::map<Handle, Known> known_;
  std::vector<Handle> handles_;
  size_t depth_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  srrl::fuzz::count(size);
  Input input(data, size);
  Session session;
  while (input.size() > 0) session.step(input);
  session.compare();
  return 0;
}
