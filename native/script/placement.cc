#include "script/placement.h"

#include <torch/csrc/jit/ir/constants.h>

#include <vector>

#include "script/graph.h"

namespace srrl {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

bool isDtypeArgument(const Node* node, size_t place) {
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (!schema || place >= schema->arguments().size()) return false;
  c10::TypePtr type = schema->arguments()[place].real_type();
  if (const auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
  return type->kind() == c10::TypeKind::ScalarTypeType;
}

bool isDouble(const c10::IValue& value) {
  return value.isTensor() && value.toTensor().defined() && value.toTensor().scalar_type() == at::kDouble;
}

void replaceInput(Node* node, size_t place, const c10::IValue& value) {
  const torch::jit::WithInsertPoint before(node);
  node->replaceInput(place, node->owningGraph()->insertConstant(value));
}

}  // namespace

bool toSingle(torch::jit::Module& module) {
  bool found = false;
  for (const at::Tensor& tensor : module.parameters()) found = found || tensor.scalar_type() == at::kDouble;
  for (const at::Tensor& tensor : module.buffers()) found = found || tensor.scalar_type() == at::kDouble;
  if (found) module.to(at::kFloat);
  return found;
}

void place(Graph& graph, c10::Device device, bool single) {
  std::vector<Node*> nodes;
  forEachNode(graph.block(), [&](Node* node) { nodes.push_back(node); });
  for (const Node* node : nodes) {
    if (node->kind() != torch::jit::prim::Constant) continue;
    const auto value = torch::jit::toIValue(node->output());
    single = single || (value && isDouble(*value) && value->toTensor().dim() > 0);
  }
  const auto toFloat = [&](at::ScalarType type) {
    return (single && type == at::kDouble) || (device.is_cpu() && (type == at::kHalf || type == at::kBFloat16));
  };
  for (Node* node : nodes) {
    // Operators that move to a fixed device.
    if (isAny(node, {"aten::cuda", "aten::cpu"})) {
      node->output()->replaceAllUsesWith(node->input(0));
      continue;
    }
    for (size_t i = 0; i < node->inputs().size(); i++) {
      const auto value = torch::jit::toIValue(node->input(i));
      if (!value) continue;
      if (value->isDevice() && value->toDevice() != device)
        replaceInput(node, i, device);
      else if (value->isTensor() && value->toTensor().defined() &&
               (toFloat(value->toTensor().scalar_type()) || value->toTensor().device() != device)) {
        const at::Tensor& tensor = value->toTensor();
        const auto type = toFloat(tensor.scalar_type()) ? at::kFloat : tensor.scalar_type();
        // 0-dimensional tensors may stay on the CPU; operators on other devices accept them.
        if (tensor.dim() > 0 || type != tensor.scalar_type())
          replaceInput(node, i, tensor.to(tensor.dim() > 0 ? device : tensor.device(), type));
      } else if (value->isInt() && isDtypeArgument(node, i) && toFloat(static_cast<at::ScalarType>(value->toInt()))) {
        replaceInput(node, i, static_cast<int64_t>(at::kFloat));
      }
    }
  }
}

}  // namespace srrl
