#include "messages.h"

namespace srrl {

// libtorch appends lists of registered kernels, interpreter stacks and links; the first paragraph says what happened.
// In CUDA errors the advice is part of the first paragraph, behind the reason, and the same for every error.
std::string withoutAdvice(std::string text) {
  for (const char* tail :
       {"\nThis could be because", " This could be because", "\nException raised from", "\nSearch for `cuda",
        "\nCUDA kernel errors might be", "\nFor debugging consider passing CUDA_LAUNCH_BLOCKING",
        "\nDevice-side assertions were", "\nCompile with `TORCH_USE_CUDA_DSA`", "\n\n"}) {
    text = text.substr(0, text.find(tail));
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

// The TorchScript interpreter puts its stack first, and the reason behind the last "RuntimeError: ".
std::string interpreterReason(const std::string& text) {
  const auto at = text.rfind("RuntimeError: ");
  return withoutAdvice(at == std::string::npos ? text : text.substr(at + 14));
}

bool speaksOfShapes(const std::string& text) {
  for (const char* phrase :
       {"size of tensor", "shapes cannot be multiplied", "must match", "invalid for input of size",
        "Expected more than 1 value", "Given groups=", "Sizes of tensors", "expand(", "Expected 3D"}) {
    if (text.find(phrase) != std::string::npos) return true;
  }
  return false;
}

bool speaksOfKinds(const std::string& text) {
  for (const char* whole :
       {"Invalid argument", "An object was expected", "A string was expected", "A string or symbol was expected",
        "A function was expected", "A number was expected", "A boolean was expected", "An array was expected",
        "A bigint was expected", "An arraybuffer was expected", "A date was expected"}) {
    if (text == whole) return true;
  }
  return false;
}

// Messages of Gloo begin with a source location and end with advice.
std::string withoutPlace(std::string message) {
  const auto end = message.find("] ");
  if (message.starts_with("[") && end != std::string::npos) message = message.substr(end + 2);
  message = message.substr(0, message.find(" This is typically caused"));
  while (message.ends_with(".")) message.pop_back();
  return message;
}

}  // namespace srrl
