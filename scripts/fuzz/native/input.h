// The bytes that libFuzzer gives, read as numbers; zeros behind their end.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace srrl::fuzz {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  template <typename Number>
  Number number() {
    uint8_t bytes[sizeof(Number)] = {};
    const size_t count = size_ < sizeof bytes ? size_ : sizeof bytes;
    if (count > 0) std::memcpy(bytes, data_, count);
    data_ += count;
    size_ -= count;
    Number result;
    std::memcpy(&result, bytes, sizeof result);
    return result;
  }

  // From 0 to below `bound`.
  int64_t below(int64_t bound) { return number<uint32_t>() % bound; }

  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  const uint8_t* data_;
  size_t size_;
};

// A finding of the target's own: libFuzzer keeps the input.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// How many bytes the target was given, for the report.
inline void count(size_t size) {
  static size_t bytes = 0;
  static const int written = std::atexit([] { std::fprintf(stderr, "stat::bytes_given: %zu\n", bytes); });
  (void)written;
  bytes += size;
}

}  // namespace srrl::fuzz
