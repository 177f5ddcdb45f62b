#include "plain.h"

#include "errors.h"

namespace srrl {

namespace {

bool isCompressed(at::Layout layout) {
  return layout == at::kSparseCsr || layout == at::kSparseCsc || layout == at::kSparseBsr || layout == at::kSparseBsc;
}

std::string nameOf(at::Layout layout) {
  switch (layout) {
    case at::kSparse: return "a sparse (sparse_coo)";
    case at::kSparseCsr: return "a sparse (sparse_csr)";
    case at::kSparseCsc: return "a sparse (sparse_csc)";
    case at::kSparseBsr: return "a sparse (sparse_bsr)";
    case at::kSparseBsc: return "a sparse (sparse_bsc)";
    case at::kMkldnn: return "an mkldnn";
    default: return "this";
  }
}

// Returns a name for the kind of tensor and how to get a plain one.
std::pair<std::string, std::string> kindAndRemedy(const at::Tensor& tensor) {
  if (tensor.is_meta()) return {"a meta", "it has a shape but no elements; make it on 'cpu'"};
  if (tensor.is_nested()) return {"a nested", "use unbind() or nestedToPaddedTensor() first"};
  if (tensor.is_quantized())
    return {"a quantized", "use dequantize() for its values or intRepr() for its integers first"};
  if (tensor.layout() != at::kStrided) return {nameOf(tensor.layout()), "use toDense() first"};
  return {"this", "it has no memory of its own; use clone() first"};
}

// The stride of a dimension of size 1 is irrelevant.
bool sameOrder(const at::Tensor& a, const at::Tensor& b) {
  for (int64_t i = 0; i < a.dim(); i++) {
    if (a.size(i) > 1 && a.stride(i) != b.stride(i)) return false;
  }
  return true;
}

}  // namespace

bool isPlain(const at::Tensor& tensor) {
  return tensor.layout() == at::kStrided && tensor.has_storage() && !tensor._is_zerotensor() && !tensor.is_conj() &&
         !tensor.is_neg() && !tensor.is_quantized() && !tensor.is_nested() && !tensor.is_meta();
}

void refuse(const at::Tensor& tensor, const char* property) {
  const auto [kind, remedy] = kindAndRemedy(tensor);
  throw Error(kType, kind + " tensor has no " + property + "; " + remedy);
}

at::Tensor plain(const at::Tensor& tensor) {
  if (isPlain(tensor)) return tensor;
  const bool strided = tensor.layout() == at::kStrided && tensor.has_storage();
  if (!strided || tensor.is_quantized() || tensor.is_nested() || tensor.is_meta())
    refuse(tensor, "elements that can be read from memory");
  const at::Tensor resolved = tensor.resolve_conj().resolve_neg();
  return resolved._is_zerotensor() ? resolved.clone() : resolved;
}

std::vector<at::Tensor> partsOf(const at::Tensor& tensor) {
  const at::Layout layout = tensor.layout();
  if (layout == at::kSparse) return {tensor._indices(), tensor._values()};
  if (isCompressed(layout)) {
    const bool rows = layout == at::kSparseCsr || layout == at::kSparseBsr;
    return {rows ? tensor.crow_indices() : tensor.ccol_indices(), rows ? tensor.col_indices() : tensor.row_indices(),
            tensor.values()};
  }
  if (!tensor.has_storage() || tensor._is_zerotensor()) return {};
  return {tensor};
}

at::Tensor plainGradient(const at::Tensor& gradient, bool sparseToo) {
  if (gradient.layout() == at::kStrided) return plain(gradient);
  if (sparseToo) return gradient.to_dense();
  throw Error(kType,
              "a parameter has a sparse gradient, which only SGD accepts; use SGD, or make the embedding without "
              "{ sparse: true }");
}

at::Tensor gradientInOrder(const at::Tensor& gradient, const at::Tensor& parameter, bool sparseToo) {
  if (!isPlain(parameter)) refuse(parameter, "memory that an optimizer could update");
  if (!parameter.is_non_overlapping_and_dense()) {
    throw Error(kState,
                "a parameter is a view with gaps or overlaps in memory, which a fused step cannot update; "
                "optimize a clone() of it");
  }
  const at::Tensor dense = plainGradient(gradient, sparseToo);
  return sameOrder(dense, parameter) ? dense : at::empty_like(parameter).copy_(dense);
}

}  // namespace srrl
