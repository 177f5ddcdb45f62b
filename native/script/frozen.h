// A network that never changes and is run without gradient: a graph with its weights as constants.
#pragma once

#include <napi.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/ir.h>

namespace srrl {

struct Frozen : torch::CustomClassHolder {
  Frozen(std::shared_ptr<torch::jit::Graph> graph, c10::Stack leading, c10::Stack trailing);

  std::shared_ptr<torch::jit::Graph> graph;
  torch::jit::GraphFunction function;
  c10::Stack leading;   // inputs of the graph before the images: the module itself
  c10::Stack trailing;  // inputs behind the images: default values of forward
};

Napi::Value holdFrozen(Napi::Env env, c10::intrusive_ptr<Frozen> frozen);

void exportFrozen(Napi::Env env, Napi::Object exports);

}  // namespace srrl
