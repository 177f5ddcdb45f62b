#include "script/convolutions.h"

#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include "library.h"
#include "ops/conv3x3.h"
#include "ops/conv_relu.h"
#include "script/graph.h"

namespace srrl {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

std::optional<at::Tensor> kernelOf(const Node* node) {
  if (!isAny(node, {"aten::conv2d", "aten::_convolution"})) return std::nullopt;
  const auto kernel = torch::jit::toIValue(node->input(1));
  if (!kernel || !kernel->isTensor() || kernel->toTensor().dim() != 4) return std::nullopt;
  return kernel->toTensor();
}

bool isConstant(const Value* value, const c10::IValue& wanted) {
  const auto constant = torch::jit::toIValue(value);
  return constant && *constant == wanted;
}

// Whether stride, padding and dilation are 1, there is one group, it is not transposed, and the bias is constant or
// None.
bool isPlain(const Node* node) {
  const c10::IValue one(c10::List<int64_t>({1, 1}));
  const bool full = is(node, "aten::_convolution");
  if (full && !isConstant(node->input(6), false)) return false;
  return isConstant(node->input(3), one) && isConstant(node->input(4), one) && isConstant(node->input(5), one) &&
         isConstant(node->input(full ? 8 : 6), 1) && torch::jit::toIValue(node->input(2));
}

Node* onlyUser(const Value* value) { return value->uses().size() == 1 ? value->uses()[0].user : nullptr; }

// Returns the addition that is the only user of a value, and the other operand.
Node* additionTo(Value* value, Value*& other) {
  Node* user = onlyUser(value);
  if (!user || !isAny(user, {"aten::add", "aten::add_"}) || user->inputs().size() != 3 ||
      !isConstant(user->input(2), 1))
    return nullptr;
  const size_t place = user->input(0) == value ? 0 : 1;
  other = user->input(1 - place);
  // An in-place addition writes to its first operand, which may be used elsewhere.
  if (place == 1 && is(user, "aten::add_")) return nullptr;
  return other->type()->isSubtypeOf(*c10::TensorType::get()) && other != value ? user : nullptr;
}

Node* reluOf(const Value* value) {
  Node* user = onlyUser(value);
  return user && isAny(user, {"aten::relu", "aten::relu_"}) ? user : nullptr;
}

// The addition and ReLU that follow a convolution and are the only users of its result. They are moved next to it.
struct Tail {
  Node* last;
  Value* residual;  // what is added, or null
  bool relu;
};

Tail tailOf(Node* node, std::shared_ptr<Graph>& graph) {
  torch::jit::AliasDb aliases(graph);
  Node* last = node;
  Value* residual = nullptr;
  if (Node* addition = additionTo(node->output(), residual);
      addition && aliases.moveBeforeTopologicallyValid(node, addition))
    last = addition;
  else
    residual = nullptr;
  Node* relu = reluOf(last->output());
  // An operator in between could overwrite the operands of the sum.
  if (relu && last->next() != relu && !aliases.moveBeforeTopologicallyValid(relu, last->next())) relu = nullptr;
  return {relu ? relu : last, residual, relu != nullptr};
}

void hastenConvolution(Node* node, const at::Tensor& kernel, std::shared_ptr<Graph>& graph) {
  const auto [last, residual, relu] = tailOf(node, graph);
  const torch::jit::WithInsertPoint place(last);
  Value* none = graph->insertConstant(c10::IValue());
  Value* fast = graph->insert(c10::Symbol::fromQualString(ownName("srrl::conv3x3_frozen")),
                              {node->input(0), node->input(1), graph->insertConstant(conv3x3Kernel(kernel)),
                               node->input(2), residual ? residual : none, relu});
  last->output()->replaceAllUsesWith(fast);
}

// Returns a constant bias, zeros if there is none; undefined if it is not a constant.
at::Tensor biasOf(const Node* node, const at::Tensor& kernel) {
  const auto bias = torch::jit::toIValue(node->input(2));
  if (!bias) return {};
  return bias->isNone() ? at::zeros({kernel.size(0)}, kernel.options()) : bias->toTensor();
}

// Whether there is one group, it is not transposed, and all sizes are constant. With more groups, libtorch's kernels
// are often faster.
bool isDense(const Node* node) {
  const bool full = is(node, "aten::_convolution");
  for (const size_t place : {3, 4, 5}) {
    const auto sizes = torch::jit::toIValue(node->input(place));
    if (!sizes || !sizes->isIntList() || sizes->toIntVector().size() != 2) return false;
  }
  return isConstant(node->input(full ? 8 : 6), 1) && (!full || isConstant(node->input(6), false));
}

// If a convolution's result is only added to another one, moves its bias into the other's, where it costs nothing.
void moveBias(Value* residual, Graph& graph, at::Tensor& bias) {
  Node* other = residual->node();
  const auto kernel = kernelOf(other);
  if (!kernel || !onlyUser(residual)) return;
  const at::Tensor own = biasOf(other, *kernel);
  if (!own.defined() || own.sizes() != bias.sizes()) return;
  bias = bias.add(own);
  const torch::jit::WithInsertPoint before(other);
  other->replaceInput(2, graph.insertConstant(c10::IValue()));
}

void joinRelu(Node* node, const at::Tensor& kernel, std::shared_ptr<Graph>& graph, int64_t multiple) {
  at::Tensor bias = biasOf(node, kernel);
  if (!bias.defined() || !isDense(node)) return;
  const auto [last, residual, relu] = tailOf(node, graph);
  if (!relu) return;
  if (residual) moveBias(residual, *graph, bias);
  const torch::jit::WithInsertPoint place(last);
  Value* none = graph->insertConstant(c10::IValue());
  const int64_t missing = (multiple - kernel.size(1) % multiple) % multiple;
  const at::Tensor padded = at::constant_pad_nd(kernel, {0, 0, 0, 0, 0, missing});
  Value* weight = graph->insertConstant(padded.contiguous(at::MemoryFormat::ChannelsLast));
  const size_t groups = is(node, "aten::_convolution") ? 8 : 6;
  Value* joined = graph->insert(c10::Symbol::fromQualString(ownName("srrl::conv_relu")),
                                {node->input(0), weight, graph->insertConstant(bias), residual ? residual : none,
                                 node->input(3), node->input(4), node->input(5), node->input(groups)});
  last->output()->replaceAllUsesWith(joined);
}

struct NormConstants {
  at::Tensor weight, bias, mean, variance;
  double epsilon;
};

std::optional<NormConstants> constantsOf(const Node* node) {
  const auto tensor = [&](size_t place) -> at::Tensor {
    const auto constant = torch::jit::toIValue(node->input(place));
    return constant && constant->isTensor() ? constant->toTensor() : at::Tensor();
  };
  const auto epsilon = torch::jit::toIValue(node->input(7));
  NormConstants found{tensor(1), tensor(2), tensor(3), tensor(4), 0};
  if (!found.weight.defined() || !found.bias.defined() || !found.mean.defined() || !found.variance.defined())
    return std::nullopt;
  if (!isConstant(node->input(5), false) || !epsilon) return std::nullopt;
  found.epsilon = epsilon->toDouble();
  return found;
}

// Returns the addition of two tensors right before `node` whose sum the node reads, or null.
Node* sumBefore(const Node* node) {
  Node* sum = node->input(0)->node();
  if (!is(sum, "aten::add") || sum->inputs().size() != 3 || !isConstant(sum->input(2), 1)) return nullptr;
  if (!sum->input(1)->type()->isSubtypeOf(*c10::TensorType::get())) return nullptr;
  const Node* next = sum->next();
  while (next->kind() == c10::prim::Constant) next = next->next();
  return next == node ? sum : nullptr;
}

// Replaces a normalization with constant statistics, and the ReLU that is its only user, by one operator; on devices
// also the addition before it.
void joinNormalization(Node* node, Graph& graph) {
  const auto constants = constantsOf(node);
  if (!constants) return;
  const auto& [weight, bias, mean, variance, epsilon] = *constants;
  Node* relu = reluOf(node->output());
  if (relu && node->next() != relu) relu = nullptr;
  Node* last = relu ? relu : node;
  const torch::jit::WithInsertPoint place(last);
  const auto constant = [&](const at::Tensor& tensor) { return graph.insertConstant(tensor.to(weight.scalar_type())); };
  const at::Tensor deviation = (variance.to(at::kDouble) + epsilon).rsqrt();
  Value* joined = nullptr;
  if (weight.is_cpu()) {
    const at::Tensor scale = weight * deviation;
    joined = graph.insert(c10::Symbol::fromQualString(ownName("srrl::affine")),
                          {node->input(0), constant(scale), constant(bias - mean * scale), relu != nullptr});
  } else if (Node* sum = relu ? sumBefore(node) : nullptr) {
    // insert() cannot create an operator with two results.
    Node* both = graph.create(c10::Symbol::fromQualString(ownName("srrl::norm_frozen_sum")), 2);
    for (Value* input : {sum->input(0), sum->input(1), constant(weight), constant(bias), constant(mean),
                         constant(variance), constant(deviation)})
      both->addInput(input);
    both->addInput(graph.insertConstant(epsilon));
    graph.insertNode(both);
    sum->output()->replaceAllUsesAfterNodeWith(both, both->output(1));
    joined = both->output(0);
  } else {
    joined = graph.insert(c10::Symbol::fromQualString(ownName("srrl::norm_frozen")),
                          {node->input(0), constant(weight), constant(bias), constant(mean), constant(variance),
                           constant(deviation), epsilon, relu != nullptr});
  }
  last->output()->replaceAllUsesWith(joined);
}

}  // namespace

void joinRelus(std::shared_ptr<Graph>& graph, int64_t multiple) {
  std::vector<Node*> nodes(graph->nodes().begin(), graph->nodes().end());
  bool onDevice = false;
  for (Node* node : nodes) {
    const auto kernel = kernelOf(node);
    if (!kernel || kernel->is_cpu()) continue;
    onDevice = true;
    if (hasConvRelu(kernel->device())) joinRelu(node, *kernel, graph, multiple);
  }
  for (Node* node : nodes) {
    if (onDevice && is(node, "aten::batch_norm")) joinNormalization(node, *graph);
    if (!onDevice || !is(node, "aten::max_pool2d")) continue;
    const torch::jit::WithInsertPoint place(node);
    std::vector<torch::jit::NamedValue> inputs(node->inputs().begin(), node->inputs().end());
    node->output()->replaceAllUsesWith(graph->insert(c10::Symbol::fromQualString(ownName("srrl::max_pool2d")), inputs));
  }
  torch::jit::EliminateDeadCode(graph);
}

void hasten(std::shared_ptr<Graph>& graph) {
  std::vector<Node*> nodes(graph->nodes().begin(), graph->nodes().end());
  for (Node* node : nodes) {
    if (is(node, "aten::batch_norm")) {
      joinNormalization(node, *graph);
      continue;
    }
    const auto kernel = kernelOf(node);
    if (!kernel) continue;
    if (hasFastForm(*kernel) && isPlain(node)) {
      hastenConvolution(node, *kernel, graph);
      continue;
    }
    const torch::jit::WithInsertPoint before(node);
    node->replaceInput(1, graph->insertConstant(kernel->contiguous(at::MemoryFormat::ChannelsLast)));
  }
}

}  // namespace srrl
