// Streams on which graphs are captured. Nodes of a CUDA graph keep the priority of the stream they were captured on, so
// the work that a step waits for is captured on a high-priority stream.
#pragma once

#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace srrl {

// All captures of a device share these lanes, because its default stream cannot be captured. Branches beyond this
// number share a lane and run one after the other.
constexpr size_t kMostLanes = 8;

// Returns lane `number`, of high priority. Lane 0 captures the main part of a graph.
c10::Stream laneOf(c10::Device device, size_t number);

// Returns the stream of normal priority for work that nothing waits for soon.
c10::Stream backgroundOf(c10::Device device);

// Returns the stream of normal priority for work in parallel with `stream`. Call it for each lane before a capture.
c10::Stream sideOf(const c10::Stream& stream);

// Makes work queued on `later` from now on wait for all work queued on `earlier`.
void wait(const c10::Stream& earlier, const c10::Stream& later);

}  // namespace srrl
