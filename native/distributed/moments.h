// Statistics of a batch that several processes share.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace srrl::distributed {

// float64 [2 C + 1] of each rank: means, sums of squared deviations from them, number of values; of all ranks together.
at::Tensor jointMoments(const at::Tensor& own);
// The same, in place.
void jointMoments(std::vector<double>& mean, std::vector<double>& squares, double& count);

// Sums over all ranks, in the order of the ranks, so that each has the same bits.
at::Tensor jointSums(const at::Tensor& own);
void jointSums(std::vector<double>& first, std::vector<double>& second);

}  // namespace srrl::distributed
