// JPEG files and the parts of them that are decoded, by libjpeg-turbo, which is not instrumented itself.
// Sources: native/plain.cc native/messages.cc
// Libraries: torch
#include "ops/jpeg.cc"

#include "input.h"

namespace {

// Sizes and places: any numbers at all, or those of a part that is inside of the image.
struct Part {
  std::array<int64_t, 4> box;
  int64_t denominator;
  std::array<int64_t, 2> resized, offset, room;
};

Part wild(srrl::fuzz::Input& input) {
  Part part{};
  for (auto& number : part.box) number = input.number<int64_t>();
  part.denominator = input.number<int64_t>();
  for (auto& number : part.offset) number = input.number<int64_t>();
  for (auto& number : part.room) number = input.below(16);
  // The resized part is allocated.
  for (auto& number : part.resized) number = input.number<int8_t>();
  return part;
}

Part within(srrl::fuzz::Input& input, int64_t width, int64_t height) {
  Part part{};
  const int64_t d = part.denominator = int64_t{1} << input.below(4);
  const int64_t size[] = {(width + d - 1) / d, (height + d - 1) / d};
  for (int i = 0; i < 2; i++) {
    part.box[i] = input.below(size[i]);
    part.box[2 + i] = 1 + input.below(size[i] - part.box[i]);
  }
  for (int i = 0; i < 2; i++) {
    part.resized[i] = 1 + input.below(48);
    part.offset[i] = input.below(part.resized[i]);
    part.room[i] = input.below(part.resized[i] - part.offset[i] + 1);
  }
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  at::set_num_threads(1);
  const char* file = std::getenv("SRRL_TURBOJPEG");
  srrl::fuzz::require(file && srrl::openTurboJpeg(file), "SRRL_TURBOJPEG names libjpeg-turbo");
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  srrl::fuzz::count(size);
  constexpr size_t kNumbers = 64;
  if (size < kNumbers) return 0;
  srrl::fuzz::Input input(data, kNumbers);
  // A copy that ends where its memory ends.
  const at::Tensor file = at::empty({static_cast<int64_t>(size - kNumbers)}, at::kByte);
  if (file.numel() > 0) std::memcpy(file.mutable_data_ptr(), data + kNumbers, file.numel());
  const auto [width, height] = srrl::jpegSize(file);
  // Memory for the pixels is reserved before the file is seen to be shorter.
  if (width * height > 1 << 20) return 0;
  const bool isWild = input.below(4) == 0 || width == 0;
  const Part part = isWild ? wild(input) : within(input, width, height);
  const at::Tensor pixels = at::empty({part.room[0], part.room[1], 3}, at::kByte);
  try {
    srrl::decodeJpeg(file, pixels, part.box, part.denominator, part.resized, part.offset);
  } catch (const std::exception&) {
    // A file that is damaged, or numbers that do not fit.
  }
  return 0;
}
