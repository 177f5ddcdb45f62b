#include "script/classifier.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <functional>
#include <set>

namespace srrl {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

// Whether a node passes on the numbers of its first input in evaluation mode, with another shape, layout or precision
// at most.
bool isSameNumbers(const Node* node) {
  return isDropout(node) ||
         isAny(node, {"aten::flatten", "aten::view", "aten::reshape", "aten::view_as", "aten::reshape_as",
                      "aten::_unsafe_view", "aten::squeeze", "aten::squeeze_", "aten::contiguous", "aten::to",
                      "aten::_to_copy", "aten::type_as", "aten::float", "aten::detach", "aten::detach_", "aten::clone",
                      "aten::alias", "aten::_cast_Float"});
}

// Whether a node may stand between the classifier and the result.
bool passesThrough(const Node* node) {
  return isSameNumbers(node) ||
         isAny(node, {"aten::mean", "aten::adaptive_avg_pool2d", "aten::avg_pool2d", "prim::Print"});
}

// Returns the factor if a node multiplies or divides by a constant number, as heads with a temperature or a learned
// scale do. `rest` is the other operand.
std::optional<double> constantFactor(const Node* node, Value*& rest) {
  if (!isAny(node, {"aten::mul", "aten::div"})) return std::nullopt;
  const auto number = [](const Value* value) -> std::optional<double> {
    const auto constant = torch::jit::toIValue(value);
    if (!constant) return std::nullopt;
    if (constant->isDouble()) return constant->toDouble();
    if (constant->isInt()) return static_cast<double>(constant->toInt());
    if (constant->isTensor() && constant->toTensor().numel() == 1) return constant->toTensor().item<double>();
    return std::nullopt;
  };
  rest = const_cast<Value*>(node->input(0));
  if (const auto right = number(node->input(1))) return is(node, "aten::div") ? 1 / *right : *right;
  if (is(node, "aten::div")) return std::nullopt;
  rest = const_cast<Value*>(node->input(1));
  return number(node->input(0));
}

bool isTuple(const Node* node) {
  return isAny(node, {"prim::TupleConstruct", "prim::ListConstruct", "prim::DictConstruct"});
}

// Returns the value that a node on the way to the result passes on, or null; multiplies `scale` by the node's factor.
Value* handedOn(const Node* node, double& scale) {
  // A factor that applies to probabilities does not belong to the classifier.
  if (isAny(node, {"aten::log_softmax", "aten::softmax", "aten::_log_softmax", "aten::_softmax"})) {
    scale = 1;
    return const_cast<Value*>(node->input(0));
  }
  if (passesThrough(node)) return const_cast<Value*>(node->input(0));
  Value* rest = nullptr;
  if (const auto factor = constantFactor(node, rest); factor && *factor > 0) {
    scale *= *factor;
    return rest;
  }
  return nullptr;
}

bool sameLayer(const LinearSite& a, const LinearSite& b) {
  const bool sameBias =
      a.bias.defined() == b.bias.defined() && (!a.bias.defined() || a.bias.const_data_ptr() == b.bias.const_data_ptr());
  return a.weight.const_data_ptr() == b.weight.const_data_ptr() && a.weight.sizes() == b.weight.sizes() && sameBias &&
         a.scale == b.scale;
}

// The values around the classifier. `map` is null unless an average comes right before it.
struct Tap {
  Value* logits;
  Value* feature;
  Value* map;
};

// Returns the axes of an average in [N, C, H, W] or [N, C, positions]; empty if they are not constants.
std::set<int64_t> averagedAxes(const Node* node, int64_t dimensions) {
  const auto axes =
      is(node, "aten::mean") && node->inputs().size() > 2 ? torch::jit::toIValue(node->input(1)) : std::nullopt;
  std::set<int64_t> set;
  if (!axes || !axes->isIntList()) return set;
  for (const int64_t axis : axes->toIntVector()) set.insert(axis < 0 ? axis + dimensions : axis);
  return set;
}

// Returns the map whose average over all positions is the feature, or null if the graph does not show it.
Value* mapBefore(Value* feature) {
  const Node* node = feature->node();
  while (isSameNumbers(node)) node = node->input(0)->node();
  if (isAny(node, {"aten::adaptive_avg_pool2d", "aten::avg_pool2d"})) return const_cast<Value*>(node->input(0));
  if (averagedAxes(node, 4) == std::set<int64_t>{2, 3}) return const_cast<Value*>(node->input(0));
  // One axis after the other, or all positions as one axis.
  if (averagedAxes(node, 3) != std::set<int64_t>{2}) return nullptr;
  const Node* before = node->input(0)->node();
  if (averagedAxes(before, 4) == std::set<int64_t>{3} ||
      isAny(before, {"aten::flatten", "aten::view", "aten::reshape"}))
    return const_cast<Value*>(before->input(0));
  return nullptr;
}

// Whether something writes into a value in place, as ReLU(inplace=True) does.
bool isOverwritten(const Value* value) {
  for (const auto& use : value->uses()) {
    const std::string name = use.user->kind().toUnqualString();
    if (use.offset == 0 && name.size() > 1 && name.back() == '_' && name[name.size() - 2] != '_') return true;
  }
  return false;
}

// Returns the value, or a copy made at `place` if the value is overwritten later.
Value* asItIs(Value* value, Node* place) {
  if (!isOverwritten(value)) return value;
  const torch::jit::WithInsertPoint before(place);
  return value->owningGraph()->insert(c10::Symbol::fromQualString("aten::clone"), {value});
}

Tap around(const LinearSite& site) {
  Node* after = site.output->node()->next();
  Value* output = asItIs(site.output, after);
  Value* feature = asItIs(site.input, site.output->node());
  Value* map = site.convolution ? feature : mapBefore(site.input);
  const torch::jit::WithInsertPoint place(after);
  Value* logits = output;
  if (site.scale != 1)
    logits = output->owningGraph()->insert(c10::Symbol::fromQualString("aten::mul"), {output, site.scale});
  return {logits, feature, map};
}

// Returns values from inside the branches of conditions by adding outputs to the conditions.
class Hoist {
 public:
  Hoist(const std::vector<LinearSite>& sites, const LinearSite& wanted) : sites_(sites), wanted_(wanted) {}

  std::optional<Tap> from(Value* value, double scale) {
    for (LinearSite site : sites_) {
      site.scale = scale;
      if (site.output == value) return sameLayer(site, wanted_) ? std::optional<Tap>(around(site)) : std::nullopt;
    }
    Node* node = value->node();
    if (Value* next = handedOn(node, scale)) return from(next, scale);
    if (isTuple(node)) {
      for (Value* part : node->inputs()) {
        if (torch::jit::toIValue(part)) continue;
        if (auto found = from(part, scale)) return found;
      }
    }
    return is(node, "prim::If") ? fromCondition(node, value->offset(), scale) : std::nullopt;
  }

 private:
  std::optional<Tap> fromCondition(Node* condition, size_t output, double scale) {
    std::vector<std::optional<Tap>> taps;
    bool any = false, maps = true;
    for (Block* branch : condition->blocks()) {
      taps.push_back(from(branch->outputs()[output], scale));
      any = any || taps.back();
      maps = maps && (!taps.back() || taps.back()->map);
    }
    if (!any) return std::nullopt;
    const auto hand = [&](Value* Tap::* member) {
      for (size_t i = 0; i < taps.size(); i++) {
        Block* branch = condition->blocks()[i];
        branch->registerOutput(taps[i] ? *taps[i].*member : undefined(branch));
      }
      return condition->addOutput()->setType(c10::TensorType::get());
    };
    Value* logits = hand(&Tap::logits);
    Value* feature = hand(&Tap::feature);
    return Tap{logits, feature, maps ? hand(&Tap::map) : nullptr};
  }

  static Value* undefined(Block* branch) {
    Graph* graph = branch->owningGraph();
    const torch::jit::WithInsertPoint end(branch);
    return graph->insertNode(graph->createUninitialized(c10::TensorType::get()))->output();
  }

  const std::vector<LinearSite>& sites_;
  const LinearSite& wanted_;
};

}  // namespace

std::vector<LinearSite> classifierSites(Graph& graph, const std::vector<LinearSite>& sites, std::string& obstacle) {
  std::vector<LinearSite> found;
  std::set<const Value*> seen;
  const auto add = [&](LinearSite site, double scale) {
    site.scale = scale;
    for (const LinearSite& other : found) {
      if (sameLayer(site, other) && (site.nested || other.nested)) return;
    }
    found.push_back(site);
  };
  const std::function<void(Value*, double)> walk = [&](Value* value, double scale) {
    if (!seen.insert(value).second) return;
    for (const LinearSite& site : sites) {
      if (site.output == value) return add(site, scale);
    }
    Node* node = value->node();
    if (Value* next = handedOn(node, scale)) return walk(next, scale);
    if (isTuple(node)) {
      for (Value* part : node->inputs()) {
        if (!torch::jit::toIValue(part)) walk(part, scale);
      }
      return;
    }
    if (is(node, "prim::If")) {
      for (Block* branch : node->blocks()) walk(branch->outputs()[value->offset()], scale);
      return;
    }
    if (obstacle.empty()) obstacle = node->kind().toQualString();
  };
  for (Value* output : graph.outputs()) walk(output, 1);
  return found;
}

bool returnTap(Graph& graph, const std::vector<LinearSite>& sites, const LinearSite& site) {
  std::optional<Tap> tap;
  if (!site.nested) tap = around(site);
  for (size_t i = 0; !tap && i < graph.outputs().size(); i++) tap = Hoist(sites, site).from(graph.outputs()[i], 1);
  if (!tap) return false;
  while (!graph.outputs().empty()) graph.eraseOutput(0);
  const torch::jit::WithInsertPoint end(graph.block());
  Value* map = tap->map ? tap->map : graph.insertConstant(c10::IValue());
  Node* tuple = graph.createTuple({tap->logits, tap->feature, map});
  graph.appendNode(tuple);
  graph.registerOutput(tuple->output());
  torch::jit::EliminateDeadCode(graph.block());
  graph.lint();
  return true;
}

}  // namespace srrl
