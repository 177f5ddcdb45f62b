// The classifier of a TorchScript graph: which linear site it is, and a graph that hands out what lies around it.
#pragma once

#include "script/graph.h"

namespace srrl {

// The sites among `sites` whose output reaches the result of the graph through nothing that changes which class is
// the largest or which coordinates there are: views, averages over positions, softmax, casts, dropout, positive
// constant factors. A weight that is used in several branches of a condition counts once. Empty where something else
// stands between; `obstacle` then names it.
std::vector<LinearSite> classifierSites(torch::jit::Graph& graph, const std::vector<LinearSite>& sites,
                                        std::string& obstacle);

// Makes the graph return (site output times its scale, site input, map before the pooling or None) and nothing else. A
// site inside a condition must be a classifier; a branch that runs none gives an undefined value. False where the site
// is in a loop or in a condition off the way to the result.
bool returnTap(torch::jit::Graph& graph, const std::vector<LinearSite>& sites, const LinearSite& site);

}  // namespace srrl
