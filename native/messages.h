// Shortens error messages of other libraries. Uses neither libtorch nor Node-API, so that the fuzzer can compile it
// alone.
#pragma once

#include <string>

namespace srrl {

// Removes the backtrace, the list of kernels and CUDA's debugging advice from a message of libtorch.
std::string withoutAdvice(std::string text);

// Returns the reason in an error of the TorchScript interpreter, without its stack.
std::string interpreterReason(const std::string& text);

// Removes the source location from a message of Gloo.
std::string withoutPlace(std::string message);

// Whether a message of libtorch is about incompatible sizes.
bool speaksOfShapes(const std::string& text);

// Whether a message is one of Node-API's about the type of an argument. Those name neither the function nor the
// argument.
bool speaksOfKinds(const std::string& text);

}  // namespace srrl
