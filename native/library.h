// The operators of this package in libtorch's dispatcher, which is one for the process, while copies of this addon may
// be many.
#pragma once

#include <string>

namespace torch {
class Library;
}

namespace srrl {

// Registers this copy's operators, once a process, under a namespace that no other copy has.
void registerOperators();

// `srrl::affine`, or what it is called where another copy was loaded first, as in `srrl_2::affine`.
std::string ownName(const std::string& name);

// What each file in ops/ and kernels/ adds.
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
