#include "distributed/moments.h"

#include "distributed/group.h"

namespace srrl::distributed {

namespace {

at::Tensor rowOf(std::initializer_list<const std::vector<double>*> parts, size_t length) {
  at::Tensor row = at::empty({static_cast<int64_t>(length)}, at::kDouble);
  double* to = row.mutable_data_ptr<double>();
  for (const auto* part : parts) to = std::copy(part->begin(), part->end(), to);
  return row;
}

}  // namespace

at::Tensor jointMoments(const at::Tensor& own) {
  const auto group = currentGroupOrNull();
  if (!group || group->setup.size == 1) return own;
  const at::Tensor all = group->gathered(own, "the statistics of a normalization");
  const int64_t channels = (own.size(0) - 1) / 2;
  const at::Tensor means = all.narrow(1, 0, channels), squares = all.narrow(1, channels, channels),
                   counts = all.narrow(1, 2 * channels, 1);
  const at::Tensor total = counts.sum(0);
  // A rank without images has no mean.
  const at::Tensor weights = counts / total, known = at::where(counts.gt(0), means, at::zeros_like(means));
  const at::Tensor mean = known.mul(weights).sum(0);
  const at::Tensor apart = known.sub(mean);
  return at::cat({mean,
                  at::where(counts.gt(0), squares, at::zeros_like(squares)).add(apart.mul(apart).mul(counts)).sum(0),
                  total});
}

void jointMoments(std::vector<double>& mean, std::vector<double>& squares, double& count) {
  const std::vector<double> last{count};
  const size_t channels = mean.size();
  const at::Tensor joint = jointMoments(rowOf({&mean, &squares, &last}, 2 * channels + 1));
  const double* from = joint.const_data_ptr<double>();
  std::copy_n(from, channels, mean.begin());
  std::copy_n(from + channels, channels, squares.begin());
  count = from[2 * channels];
}

at::Tensor jointSums(const at::Tensor& own) {
  const auto group = currentGroupOrNull();
  if (!group || group->setup.size == 1) return own;
  return group->gathered(own, "the gradient of a normalization").sum(0);
}

void jointSums(std::vector<double>& first, std::vector<double>& second) {
  const at::Tensor joint = jointSums(rowOf({&first, &second}, first.size() + second.size()));
  const double* from = joint.const_data_ptr<double>();
  std::copy_n(from, first.size(), first.begin());
  std::copy_n(from + first.size(), second.size(), second.begin());
}

}  // namespace srrl::distributed
