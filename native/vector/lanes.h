#pragma once

#include <cstdint>
#include <stdexcept>

namespace srrl {

// Numbers in the widest vectors that this CPU has and we have functions for: 16, 8, or 0 for none.
int64_t vectorLanes();

// Of two tables of functions the one for this CPU; only where there are lanes.
template <typename Functions>
const Functions& widest(const Functions& narrow, const Functions& wide) {
  return vectorLanes() == 16 ? wide : narrow;
}

}  // namespace srrl
