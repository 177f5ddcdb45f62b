// Decodes part of a JPEG file with libjpeg-turbo and resizes it, on the caller's thread. libjpeg-turbo is not linked:
// it is part of an npm package and is loaded at first use through TurboJPEG 3's stable interface. If it is missing,
// images are decoded elsewhere.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/library.h>

#include <atomic>
#include <memory>
#include <mutex>

#include "library.h"
#include "plain.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace srrl {

namespace {

// Declarations from turbojpeg.h.
using Handle = void*;
struct Region {
  int x, y, w, h;
};
struct Factor {
  int num, denom;
};
enum { kInitDecompress = 1, kPixelsRgb = 0, kPixelsCmyk = 11 };
enum Parameter { kStopOnWarning = 0, kWidth = 5, kHeight = 6, kPrecision = 7, kColorspace = 8 };
enum Colorspace { kRgb = 0, kYCbCr = 1, kGray = 2, kCmyk = 3, kYcck = 4 };

struct TurboJpeg {
  Handle (*init)(int);
  void (*destroy)(Handle);
  int (*set)(Handle, int, int);
  int (*get)(Handle, int);
  int (*header)(Handle, const uint8_t*, size_t);
  int (*scale)(Handle, Factor);
  int (*crop)(Handle, Region);
  int (*decompress)(Handle, const uint8_t*, size_t, uint8_t*, int, int);
  char* (*error)(Handle);
};

std::atomic<const TurboJpeg*> turboJpeg = nullptr;

// Looks for libjpeg-turbo in a shared library or its dependencies. Returns whether all functions were found.
bool openTurboJpeg(c10::string_view file) {
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  if (turboJpeg.load()) return true;
  void* library = dlopen(std::string(file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return false;
  auto found = std::make_unique<TurboJpeg>();
  bool whole = true;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    whole = whole && function;
  };
  find(found->init, "tj3Init");
  find(found->destroy, "tj3Destroy");
  find(found->set, "tj3Set");
  find(found->get, "tj3Get");
  find(found->header, "tj3DecompressHeader");
  find(found->scale, "tj3SetScalingFactor");
  find(found->crop, "tj3SetCroppingRegion");
  find(found->decompress, "tj3Decompress8");
  find(found->error, "tj3GetErrorStr");
  // Never freed, like the library: other threads may be decoding.
  if (whole) turboJpeg = found.release();
  return whole;
}

struct Decoder {
  const TurboJpeg& api;
  const Handle handle;
  const at::Tensor& bytes;

  explicit Decoder(const at::Tensor& bytes) : api(opened()), handle(opened(bytes)), bytes(bytes) {
    TORCH_CHECK(handle, "libjpeg-turbo cannot allocate a decoder");
    // A damaged file is an error here; the caller decides whether to decode it elsewhere.
    api.set(handle, kStopOnWarning, 1);
  }
  ~Decoder() { api.destroy(handle); }
  Decoder(const Decoder&) = delete;

  static const TurboJpeg& opened() {
    const TurboJpeg* api = turboJpeg;
    TORCH_CHECK(api, "libjpeg-turbo is not loaded; call srrl::open_turbo_jpeg() first");
    return *api;
  }
  // Checks before init(), because nothing frees the handle if the constructor throws.
  static Handle opened(const at::Tensor& bytes) {
    TORCH_CHECK(isPlain(bytes) && bytes.dim() == 1 && bytes.scalar_type() == at::kByte && bytes.is_contiguous() &&
                    bytes.device().is_cpu(),
                "bytes must be uint8 [N]");
    return opened().init(kInitDecompress);
  }
  void check(int status) const { TORCH_CHECK(status == 0, api.error(handle)); }
  int get(Parameter parameter) const { return api.get(handle, parameter); }
  bool header() const { return api.header(handle, bytes.const_data_ptr<uint8_t>(), bytes.numel()) == 0; }
};

// Returns width and height of a JPEG file with 8 bits per channel in RGB, gray or CMYK; zeros for any other.
std::tuple<int64_t, int64_t> jpegSize(const at::Tensor& bytes) {
  const Decoder jpeg(bytes);
  const auto known = [](int space) { return space >= kRgb && space <= kYcck; };
  if (!jpeg.header() || jpeg.get(kPrecision) != 8 || !known(jpeg.get(kColorspace))) return {0, 0};
  return {jpeg.get(kWidth), jpeg.get(kHeight)};
}

// Returns this thread's buffer for pixels before resizing. It is kept for the next image unless it is larger than
// kKept.
uint8_t* scratch(size_t size) {
  constexpr size_t kKept = size_t{8} << 20;
  static thread_local std::unique_ptr<uint8_t[]> memory;
  static thread_local size_t held = 0;
  if (size > held || held > kKept) {
    memory.reset();
    memory = std::make_unique_for_overwrite<uint8_t[]>(size);
    held = size;
  }
  return memory.get();
}

// Converts pixels of 4 bytes to 3 in place. Writers of CMYK files store 255 - ink, so this is Pillow's conversion: (255
// - ink) * (255 - black) / 255, rounded.
void cmykToRgb(uint8_t* pixels, int64_t count) {
  const uint8_t* from = pixels;
  for (const uint8_t* end = pixels + 4 * count; from != end; from += 4, pixels += 3) {
    const unsigned light = from[3];
    for (int channel = 0; channel < 3; channel++) {
      const unsigned product = from[channel] * light + 128;
      pixels[channel] = static_cast<uint8_t>((product + (product >> 8)) >> 8);
    }
  }
}

// Restricts operators of this thread to one thread, because OpenMP would start a team for each decoding thread.
struct SingleThread {
#ifdef _OPENMP
  // libtorch sets its own number of threads when a thread first asks for it, so ask before changing it. One extra team
  // of OpenMP makes the threads of all teams sleep instead of spin.
  const int before = at::get_num_threads();
  SingleThread() { omp_set_num_threads(1); }
  ~SingleThread() { omp_set_num_threads(before); }
#endif
};

// bytes: a JPEG file that jpeg_size() accepts; pixels: the output, uint8 [H, W, 3] contiguous.
// box: left, top, width and height of a part of the image, after scaling by 1 / `denominator` (1, 2, 4 or 8), which
// saves decoding work. The part is resized to `resized` (height, width), bilinear with antialiasing; `pixels` receives
// a crop of that, from `offset` (top, left).
void decodeJpeg(const at::Tensor& bytes, at::Tensor pixels, at::IntArrayRef box, int64_t denominator,
                at::IntArrayRef resized, at::IntArrayRef offset) {
  TORCH_CHECK(isPlain(pixels) && pixels.dim() == 3 && pixels.size(2) == 3 && pixels.scalar_type() == at::kByte &&
                  pixels.is_contiguous() && pixels.device().is_cpu(),
              "pixels must be a contiguous uint8 tensor [H, W, 3] on the CPU");
  TORCH_CHECK(box.size() == 4 && resized.size() == 2 && offset.size() == 2,
              "box has 4 numbers, resized and offset have 2");
  const Decoder jpeg(bytes);
  TORCH_CHECK(jpeg.header(), jpeg.api.error(jpeg.handle));
  const int64_t d = denominator;
  TORCH_CHECK(d == 1 || d == 2 || d == 4 || d == 8, "denominator must be 1, 2, 4 or 8, not ", d);
  jpeg.check(jpeg.api.scale(jpeg.handle, {1, static_cast<int>(d)}));
  const int64_t width = (jpeg.get(kWidth) + d - 1) / d, height = (jpeg.get(kHeight) + d - 1) / d;
  const int64_t left = box[0], top = box[1], w = box[2], h = box[3];
  TORCH_CHECK(
      left >= 0 && top >= 0 && w > 0 && h > 0 && w <= width && h <= height && left <= width - w && top <= height - h,
      "the box is not inside of the image");
  const auto holds = [&](int i) {
    return resized[i] >= 0 && offset[i] >= 0 && pixels.size(i) <= resized[i] &&
           offset[i] <= resized[i] - pixels.size(i);
  };
  TORCH_CHECK(holds(0) && holds(1), "there are no such pixels in the resized box");

  // Chroma upsampling reads neighbors: with a margin around it, the part has the same pixels as in the whole image. A
  // region must begin at a block boundary for any kind of chroma subsampling.
  constexpr int64_t kAround = 8, kBlock = 32;
  const int64_t block = kBlock / d;
  const int64_t x = std::max<int64_t>(0, left - kAround) / block * block, y = std::max<int64_t>(0, top - kAround);
  const int64_t across = std::min(width, left + w + kAround) - x, down = std::min(height, top + h + kAround) - y;
  if (across < width || down < height) {
    const auto number = [](int64_t value) { return static_cast<int>(value); };
    jpeg.check(jpeg.api.crop(jpeg.handle, {number(x), number(y), number(across), number(down)}));
  }
  const bool inks = jpeg.get(kColorspace) >= kCmyk;
  uint8_t* decoded = scratch(across * down * (inks ? 4 : 3));
  jpeg.check(jpeg.api.decompress(jpeg.handle, bytes.const_data_ptr<uint8_t>(), bytes.numel(), decoded, 0,
                                 inks ? kPixelsCmyk : kPixelsRgb));
  if (inks) cmykToRgb(decoded, across * down);

  const SingleThread alone;
  const at::Tensor part = at::from_blob(decoded + ((top - y) * across + left - x) * 3, {1, 3, h, w},
                                        {across * down * 3, 1, across * 3, 3}, at::kByte);
  const at::Tensor whole =
      resized[0] == h && resized[1] == w ? part : at::_upsample_bilinear2d_aa(part, resized, false);
  pixels.copy_(whole[0].permute({1, 2, 0}).narrow(0, offset[0], pixels.size(0)).narrow(1, offset[1], pixels.size(1)));
}

}  // namespace

void defineJpeg(torch::Library& library) {
  library.def("open_turbo_jpeg(str file) -> bool", openTurboJpeg);
  library.def("jpeg_size(Tensor bytes) -> (int, int)", jpegSize);
  library.def(
      "decode_jpeg(Tensor bytes, Tensor(a!) pixels, int[] box, int denominator, int[] resized, int[] offset) -> ()",
      decodeJpeg);
}

}  // namespace srrl
