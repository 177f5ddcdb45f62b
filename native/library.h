// Registers the package's operators. The process has one dispatcher, but may load several copies of this addon.
#pragma once

#include <string>

namespace torch {
class Library;
}

namespace srrl {

// Registers the operators of this copy, once per process, under a namespace that no other copy uses.
void registerOperators();

// Returns the name in this copy's namespace: `srrl::affine`, or `srrl_2::affine` if another copy was loaded first.
std::string ownName(const std::string& name);

// Defined in ops/, kernels/ and distributed/; each adds its operators.
void defineCollectives(torch::Library& library);
void defineConv3x3(torch::Library& library);
void defineConvRelu(torch::Library& library);
void defineCrossEntropy(torch::Library& library);
void defineConvolution(torch::Library& library);
void defineAdam(torch::Library& library);
void defineSgd(torch::Library& library);
void defineDeviceViews(torch::Library& library);
void defineHead(torch::Library& library);
void defineJpeg(torch::Library& library);
void defineJudge(torch::Library& library);
void defineKernels(torch::Library& library);
void defineLanes(torch::Library& library);
void defineMaxPool(torch::Library& library);
void defineNarrowed(torch::Library& library);
void defineNormFrozen(torch::Library& library);
void defineNormRelu(torch::Library& library);
void defineSums(torch::Library& library);
void defineSyncNorm(torch::Library& library);
void defineUpload(torch::Library& library);
void defineViews(torch::Library& library);

}  // namespace srrl
