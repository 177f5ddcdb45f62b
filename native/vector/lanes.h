#pragma once

#include <cstdint>
#include <stdexcept>

namespace srrl {

// Returns the number of floats in the widest vectors that this CPU and our functions support: 16, 8, or 0 for none.
int64_t vectorLanes();

// Returns the table of functions for this CPU. Call it only if vectorLanes() is not 0.
template <typename Functions>
const Functions& widest(const Functions& narrow, const Functions& wide) {
  return vectorLanes() == 16 ? wide : narrow;
}

}  // namespace srrl
