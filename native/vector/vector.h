// Vectors of LANES floats, for files that are compiled once per vector width. Without libtorch.
#pragma once

#include <cstdint>

namespace srrl {

namespace {

typedef float Vector __attribute__((vector_size(LANES * sizeof(float))));
typedef float Unaligned __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float))));

inline Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
inline void store(float* to, Vector value) { *reinterpret_cast<Unaligned*>(to) = value; }
inline Vector all(float value) { return value - Vector{}; }
// NaN stays NaN, as in ATen.
inline Vector positive(Vector value) { return value < 0.f ? Vector{} : value; }

}  // namespace

}  // namespace srrl
