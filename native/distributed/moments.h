// Statistics of a batch that is divided among processes.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace srrl::distributed {

// Combines float64 [2 C + 1] of each rank: means, sums of squared deviations, number of values. Returns those of all
// ranks.
at::Tensor jointMoments(const at::Tensor& own);
// The same in place.
void jointMoments(std::vector<double>& mean, std::vector<double>& squares, double& count);

// Sums over all ranks in the order of the ranks, so that the results are bitwise identical on each.
at::Tensor jointSums(const at::Tensor& own);
void jointSums(std::vector<double>& first, std::vector<double>& second);

}  // namespace srrl::distributed
