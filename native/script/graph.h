// Finds the linear classifier in the graph of a frozen TorchScript module and taps its input.
#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include <functional>
#include <string>
#include <vector>

namespace srrl {

// A place in the graph that computes  output = input * weight^T + bias.
struct LinearSite {
  std::string path;          // of the module that owns the weight; empty where no parameter is the weight as it stands
  at::Tensor weight;         // [classes, width]
  at::Tensor bias;           // [classes] or undefined
  bool convolution = false;  // a 1x1 convolution: input and output are maps
  bool nested = false;       // inside an if or a loop, where no value can be handed out
  double scale = 1;          // of the output on its way to the result; it belongs to the classifier
  torch::jit::Value* input = nullptr;
  torch::jit::Value* output = nullptr;
};

// Every linear site of the graph in order of execution.
std::vector<LinearSite> linearSites(torch::jit::Graph& graph, const torch::jit::Module& original);

// Names of operators that run in training mode by a constant of the graph, as in a module traced before eval().
std::vector<std::string> trainingOperators(torch::jit::Graph& graph);

// Leading sizes that views and expansions of the graph have as constants, in order, each once: where it was traced with
// a fixed batch, one of them is it.
std::vector<int64_t> leadingSizes(torch::jit::Graph& graph);

bool is(const torch::jit::Node* node, const char* name);
bool isAny(const torch::jit::Node* node, std::initializer_list<const char*> names);
// Dropout of any kind: nothing in evaluation mode.
bool isDropout(const torch::jit::Node* node);
void forEachNode(torch::jit::Block* block, const std::function<void(torch::jit::Node*)>& visit);

}  // namespace srrl
