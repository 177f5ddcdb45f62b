// Queries on the graph of a frozen TorchScript module.
#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include <functional>
#include <string>
#include <vector>

namespace srrl {

// An operation that computes output = input * weight^T + bias.
struct LinearSite {
  std::string path;          // of the module that owns the weight; empty if no parameter is exactly the weight
  at::Tensor weight;         // [classes, width]
  at::Tensor bias;           // [classes] or undefined
  bool convolution = false;  // a 1x1 convolution: input and output are maps
  bool nested = false;       // inside a condition or a loop
  double scale = 1;          // of the output on its way to the result; part of the classifier
  torch::jit::Value* input = nullptr;
  torch::jit::Value* output = nullptr;
};

// Returns every linear site of the graph in order of execution.
std::vector<LinearSite> linearSites(torch::jit::Graph& graph, const torch::jit::Module& original);

// Returns the operators that the graph runs in training mode, as in a module that was traced before eval().
std::vector<std::string> trainingOperators(torch::jit::Graph& graph);

// Returns the constant leading sizes of views and expansions in the graph, in order and without repetition. If the
// graph was traced with a fixed batch size, it is one of them.
std::vector<int64_t> leadingSizes(torch::jit::Graph& graph);

bool is(const torch::jit::Node* node, const char* name);
bool isAny(const torch::jit::Node* node, std::initializer_list<const char*> names);
// Whether the node is any kind of dropout, which does nothing in evaluation mode.
bool isDropout(const torch::jit::Node* node);
void forEachNode(torch::jit::Block* block, const std::function<void(torch::jit::Node*)>& visit);

}  // namespace srrl
