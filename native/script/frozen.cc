#include "script/frozen.h"

#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/frozen_graph_optimizations.h>

#include "arguments.h"
#include "library.h"
#include "script/convolutions.h"
#include "script/graph.h"

namespace srrl {

using torch::jit::Graph;
using torch::jit::Value;

namespace {

c10::intrusive_ptr<Frozen> frozenOf(const Napi::CallbackInfo& info) {
  return capsuleOf<Frozen>(info, 0, "a frozen network");
}

// frozenRun(frozen, images) => one handle per output, null where there is none. No gradient.
Napi::Value run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto frozen = frozenOf(info);
  const at::NoGradGuard noGrad;
  c10::Stack stack = frozen->leading;
  stack.emplace_back(tensorOf(info, 1));
  stack.insert(stack.end(), frozen->trailing.begin(), frozen->trailing.end());
  frozen->function.run(stack);
  const auto outputs = stack.back().toTupleRef().elements().vec();
  auto result = Napi::Array::New(env, outputs.size());
  for (size_t i = 0; i < outputs.size(); i++)
    result.Set(i, outputs[i].isTensor() ? wrap(env, outputs[i].toTensor()) : env.Null());
  return result;
}

// frozenTrace(images, forward: handle => handles) => frozen network of the operators that `forward` ran
Napi::Value trace(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const at::Tensor images = tensorOf(info, 0);
  const auto forward = info[1].As<Napi::Function>();
  const at::NoGradGuard noGrad;
  const auto traced = [&](torch::jit::Stack inputs) -> torch::jit::Stack {
    const Napi::Value outputs = forward.Call({wrap(env, inputs[0].toTensor())});
    std::vector<c10::IValue> values;
    for (at::Tensor& output : tensorsOf(outputs)) values.emplace_back(std::move(output));
    return {c10::ivalue::Tuple::create(std::move(values))};
  };
  auto [state, outputs] = torch::jit::tracer::trace({images}, traced, [](const at::Tensor&) { return ""; });
  std::shared_ptr<Graph> graph = state->graph;
  torch::jit::ConstantPropagation(graph);
  torch::jit::EliminateDeadCode(graph);
  return holdFrozen(env, c10::make_intrusive<Frozen>(graph, c10::Stack{}, c10::Stack{}));
}

// frozenFold(frozen) => copy with normalizations and constant factors folded into convolutions, which get their fastest
// form
Napi::Value fold(const Napi::CallbackInfo& info) {
  const auto frozen = frozenOf(info);
  std::shared_ptr<Graph> graph = frozen->graph->copy();
  torch::jit::OptimizeFrozenGraph(graph);
  joinRelus(graph, 1);
  hasten(graph);
  torch::jit::EliminateDeadCode(graph);
  return holdFrozen(info.Env(), c10::make_intrusive<Frozen>(graph, frozen->leading, frozen->trailing));
}

// Casts the images and all constants to `dtype`, except those of batch normalizations, which stay float32.
void narrowGraph(Graph& graph, Value* images, at::ScalarType dtype) {
  forEachNode(graph.block(), [&](torch::jit::Node* node) {
    if (isAny(node, {"aten::batch_norm", "aten::_batch_norm_impl_index", ownName("srrl::norm_frozen").c_str(),
                     ownName("srrl::norm_frozen_sum").c_str()}))
      return;
    const torch::jit::WithInsertPoint before(node);
    for (size_t i = 0; i < node->inputs().size(); i++) {
      const auto constant = torch::jit::toIValue(node->input(i));
      if (constant && constant->isTensor() && constant->toTensor().scalar_type() == at::kFloat)
        node->replaceInput(i, graph.insertConstant(constant->toTensor().to(dtype)));
    }
  });
  const torch::jit::WithInsertPoint first(*graph.nodes().begin());
  Value* cast = graph.insert(c10::aten::to, {images, dtype, false, false, c10::IValue()});
  images->replaceAllUsesAfterNodeWith(cast->node(), cast);
}

// frozenNarrow(frozen, dtype) => copy with normalizations folded into convolutions, computed in half precision
Napi::Value narrow(const Napi::CallbackInfo& info) {
  const auto frozen = frozenOf(info);
  std::shared_ptr<Graph> graph = frozen->graph->copy();
  torch::jit::OptimizeFrozenGraph(graph);
  // Before the cast, so that sums of biases are rounded once.
  joinRelus(graph, 8);
  narrowGraph(*graph, graph->inputs()[frozen->leading.size()],
              static_cast<at::ScalarType>(info[1].As<Napi::Number>().Int32Value()));
  torch::jit::EliminateDeadCode(graph);
  return holdFrozen(info.Env(), c10::make_intrusive<Frozen>(graph, frozen->leading, frozen->trailing));
}

// frozenText(frozen) => its graph in libtorch's notation, for debugging
Napi::Value text(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), frozenOf(info)->graph->toString(false));
}

}  // namespace

Frozen::Frozen(std::shared_ptr<Graph> graph, c10::Stack leading, c10::Stack trailing)
    : graph(graph),
      function("frozen", graph->copy(), nullptr),
      leading(std::move(leading)),
      trailing(std::move(trailing)) {}

Napi::Value holdFrozen(Napi::Env env, c10::intrusive_ptr<Frozen> frozen) {
  return Napi::Number::New(
      env, static_cast<double>(Environment::of(env).handles.insert(c10::IValue::make_capsule(std::move(frozen)))));
}

void exportFrozen(Napi::Env, Napi::Object exports) {
  define<run>(exports, "frozenRun");
  define<trace>(exports, "frozenTrace");
  define<fold>(exports, "frozenFold");
  define<narrow>(exports, "frozenNarrow");
  define<text>(exports, "frozenText");
}

}  // namespace srrl
