// Headers of libstdc++ read this variable of glibc 2.32 to count references without atomics in a single-threaded
// process. This process always has threads; defining the variable removes the dependency on that glibc.
#ifdef __linux__
extern "C" __attribute__((visibility("hidden"))) char __libc_single_threaded = 0;
#endif
