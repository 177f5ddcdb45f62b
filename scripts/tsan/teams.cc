// OpenMP's teams by threads that ThreadSanitizer sees: it does not know the barriers of libgomp, and would report every
// loop of at::parallel_for(). Hidden, so that libtorch keeps its own.
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

thread_local int number = 0, size = 1;

}  // namespace

#define SRRL_HIDDEN extern "C" __attribute__((visibility("hidden")))

SRRL_HIDDEN int omp_get_thread_num() { return number; }
SRRL_HIDDEN int omp_get_num_threads() { return size; }
SRRL_HIDDEN int omp_get_max_threads() { return 4; }
SRRL_HIDDEN int omp_in_parallel() { return size > 1; }
SRRL_HIDDEN void omp_set_num_threads(int) {}

SRRL_HIDDEN void GOMP_parallel(void (*body)(void*), void* data, unsigned wanted, unsigned) {
  const int team = wanted > 0 ? static_cast<int>(wanted) : omp_get_max_threads();
  std::vector<std::thread> others;
  const auto run = [=](int own) {
    number = own;
    size = team;
    body(data);
    number = 0;
    size = 1;
  };
  for (int own = 1; own < team; own++) others.emplace_back(run, own);
  run(0);
  for (std::thread& other : others) other.join();
}
