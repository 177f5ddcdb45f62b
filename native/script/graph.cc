#include "script/graph.h"

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <functional>
#include <set>

namespace srrl {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

bool is(const Node* node, const char* name) { return node->kind() == c10::Symbol::fromQualString(name); }

bool isAny(const Node* node, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (is(node, name)) return true;
  }
  return false;
}

bool isDropout(const Node* node) {
  return isAny(node, {"aten::dropout", "aten::dropout_", "aten::feature_dropout", "aten::feature_dropout_",
                      "aten::alpha_dropout", "aten::alpha_dropout_", "aten::feature_alpha_dropout",
                      "aten::feature_alpha_dropout_"});
}

void forEachNode(Block* block, const std::function<void(Node*)>& visit) {
  for (Node* node : block->nodes()) {
    visit(node);
    for (Block* inner : node->blocks()) forEachNode(inner, visit);
  }
}

namespace {

std::optional<at::Tensor> constantTensor(const Value* value) {
  if (auto constant = torch::jit::toIValue(value); constant && constant->isTensor()) return constant->toTensor();
  const Node* node = value->node();
  if (isAny(node, {"aten::t", "aten::numpy_T", "aten::transpose"})) {
    const auto inner = constantTensor(node->input(0));
    if (inner && inner->dim() == 2) return inner->t();
  }
  if (is(node, "aten::permute")) {
    const auto inner = constantTensor(node->input(0));
    const auto axes = torch::jit::toIValue(node->input(1));
    if (inner && inner->dim() == 2 && axes && axes->isIntList() && axes->toIntVector() == std::vector<int64_t>{1, 0})
      return inner->t();
  }
  if (isAny(node, {"aten::detach", "aten::contiguous"})) return constantTensor(node->input(0));
  return std::nullopt;
}

bool isNone(const Value* value) {
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isNone();
}

// Returns the path of the module that owns the parameter with this memory.
std::string pathOf(const at::Tensor& weight, const torch::jit::Module& original) {
  for (const auto& parameter : original.named_parameters(true)) {
    if (parameter.value.numel() == weight.numel() && parameter.value.const_data_ptr() == weight.const_data_ptr()) {
      const auto dot = parameter.name.rfind('.');
      return dot == std::string::npos ? parameter.name : parameter.name.substr(0, dot);
    }
  }
  return "";
}

// `bias` is null if there is none. Returns false if something is not constant or does not have the right shape.
bool describe(LinearSite& site, Value* input, const std::optional<at::Tensor>& weight, const Value* bias,
              Value* output) {
  if (!weight || weight->dim() != 2) return false;
  if (bias && !isNone(bias)) {
    const auto constant = constantTensor(bias);
    if (!constant || constant->numel() != weight->size(0)) return false;
    site.bias = constant->reshape(-1);
  }
  site.weight = *weight;
  site.input = input;
  site.output = output;
  return true;
}

// Returns the addition behind a product without bias: matmul(x, w^T) + b.
const Node* onlyAddition(const Value* product) {
  if (product->uses().size() != 1) return nullptr;
  const Node* user = product->uses()[0].user;
  return is(user, "aten::add") && user->input(0) == product && constantTensor(user->input(1)) ? user : nullptr;
}

std::optional<at::Tensor> transposed(const std::optional<at::Tensor>& matrix) {
  if (!matrix || matrix->dim() != 2) return std::nullopt;
  return matrix->t();
}

bool matchLinear(Node* node, LinearSite& site) {
  if (is(node, "aten::linear")) {
    return describe(site, node->input(0), constantTensor(node->input(1)), node->input(2), node->output());
  }
  if (is(node, "aten::addmm")) {
    return describe(site, node->input(1), transposed(constantTensor(node->input(2))), node->input(0), node->output());
  }
  if (isAny(node, {"aten::matmul", "aten::mm"})) {
    const Node* addition = onlyAddition(node->output());
    Value* output = addition ? const_cast<Value*>(addition->output()) : node->output();
    return describe(site, node->input(0), transposed(constantTensor(node->input(1))),
                    addition ? addition->input(1) : nullptr, output);
  }
  if (isAny(node, {"aten::conv2d", "aten::_convolution", "aten::convolution"})) {
    const auto kernel = constantTensor(node->input(1));
    if (!kernel || kernel->dim() != 4 || kernel->size(2) != 1 || kernel->size(3) != 1) return false;
    const auto stride = torch::jit::toIValue(node->input(3));
    if (!stride || !stride->isIntList()) return false;
    for (int64_t step : stride->toIntVector()) {
      if (step != 1) return false;
    }
    const auto groups = torch::jit::toIValue(node->input(is(node, "aten::conv2d") ? 6 : 8));
    if (!groups || !groups->isInt() || groups->toInt() != 1) return false;
    site.convolution = true;
    return describe(site, node->input(0), kernel->flatten(1), node->input(2), node->output());
  }
  return false;
}

}  // namespace

std::vector<LinearSite> linearSites(Graph& graph, const torch::jit::Module& original) {
  std::vector<LinearSite> sites;
  forEachNode(graph.block(), [&](Node* node) {
    LinearSite site;
    if (!matchLinear(node, site)) return;
    site.nested = node->owningBlock() != graph.block();
    site.path = pathOf(site.weight, original);
    sites.push_back(std::move(site));
  });
  return sites;
}

std::vector<std::string> trainingOperators(Graph& graph) {
  std::set<std::string> names;
  forEachNode(graph.block(), [&](Node* node) {
    const size_t flag = is(node, "aten::batch_norm") ? 5 : isDropout(node) ? 2 : 0;
    if (flag == 0) return;
    const auto training = torch::jit::toIValue(node->input(flag));
    if (training && training->isBool() && training->toBool()) names.insert(node->kind().toQualString());
  });
  return {names.begin(), names.end()};
}

std::vector<int64_t> leadingSizes(Graph& graph) {
  std::vector<int64_t> sizes;
  forEachNode(graph.block(), [&](Node* node) {
    if (!isAny(node, {"aten::view", "aten::reshape", "aten::expand"})) return;
    const Node* shape = node->input(1)->node();
    const auto list = torch::jit::toIValue(node->input(1));
    std::optional<c10::IValue> first;
    if (list && list->isIntList() && list->toIntVector().size() > 0)
      first = list->toIntVector()[0];
    else if (is(shape, "prim::ListConstruct") && !shape->inputs().empty())
      first = torch::jit::toIValue(shape->input(0));
    if (!first || !first->isInt() || first->toInt() < 1) return;
    if (std::find(sizes.begin(), sizes.end(), first->toInt()) == sizes.end()) sizes.push_back(first->toInt());
  });
  return sizes;
}

}  // namespace srrl
