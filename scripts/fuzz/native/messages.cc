// What is left of messages of libtorch, Gloo and Node-API: any text at all.
// Sources: native/messages.cc
#include "messages.h"

#include "input.h"

using srrl::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  srrl::fuzz::count(size);
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const auto& read : {srrl::withoutAdvice(text), srrl::interpreterReason(text), srrl::withoutPlace(text)}) {
    require(text.find(read) != std::string::npos, "what is left is a part of the message");
  }
  const std::string left = srrl::withoutAdvice(text);
  require(srrl::withoutAdvice(left) == left, "nothing more is left out the second time");
  require(left.find("\n\n") == std::string::npos, "one paragraph is left");
  srrl::speaksOfShapes(text);
  srrl::speaksOfKinds(text);
  return 0;
}
