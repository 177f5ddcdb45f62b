// The streams on which work is captured in graphs. The nodes of a CUDA graph keep the priority of the stream that they
// were captured on: what a step waits for goes first.
#pragma once

#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace srrl {

// All captures of a device share few streams, as its default stream cannot be captured. More branches than lanes share
// lanes, and those that share one run one after the other.
constexpr size_t kMostLanes = 8;

// Lane `number`, of high priority. The first has the main part of a graph.
c10::Stream laneOf(c10::Device device, size_t number);

// The stream of work that can wait, of normal priority.
c10::Stream backgroundOf(c10::Device device);

// The stream, of normal priority, of what goes next to the work of a stream. Call it for each lane before a capture.
c10::Stream sideOf(const c10::Stream& stream);

// What is asked of `later` from now on waits for all that was asked of `earlier`.
void wait(const c10::Stream& earlier, const c10::Stream& later);

}  // namespace srrl
