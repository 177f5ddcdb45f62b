// What is left of the messages of others, for people. Neither libtorch nor Node-API in here, so that the fuzzer can
// compile it alone.
#pragma once

#include <string>

namespace srrl {

// A message of libtorch's without its backtrace, its lists of kernels, and CUDA's advice on how to debug.
std::string withoutAdvice(std::string text);

// What the TorchScript interpreter says behind its stack.
std::string interpreterReason(const std::string& text);

// A message of Gloo's without its place in the sources.
std::string withoutPlace(std::string message);

// Whether libtorch complains about sizes that do not fit.
bool speaksOfShapes(const std::string& text);

// Whether it is Node-API's complaint about the kind of an argument, which says neither of which function nor of which
// argument.
bool speaksOfKinds(const std::string& text);

}  // namespace srrl
