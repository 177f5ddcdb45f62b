// Finds the classifier in a TorchScript graph, and makes a graph return its input and output.
#pragma once

#include "script/graph.h"

namespace srrl {

// Returns those of `sites` whose output reaches the result of the graph only through operations that change neither
// which class is the largest nor the coordinates: views, averages over positions, softmax, casts, dropout, positive
// constant factors. A weight that is used in several branches of a condition counts once. If another operation is in
// between, `obstacle` names it.
std::vector<LinearSite> classifierSites(torch::jit::Graph& graph, const std::vector<LinearSite>& sites,
                                        std::string& obstacle);

// Makes the graph return only (output of the site times its scale, input of the site, map before the pooling or None).
// A site inside a condition must be a classifier; a branch without one returns an undefined value. Returns false if the
// site is in a loop, or in a condition that is not on the way to the result.
bool returnTap(torch::jit::Graph& graph, const std::vector<LinearSite>& sites, const LinearSite& site);

}  // namespace srrl
