// libstdc++'s headers read this variable of glibc 2.32 to count references without atomics while there is one thread.
// There never is only one here; with an answer of its own, the addon does not need that glibc.
#ifdef __linux__
extern "C" __attribute__((visibility("hidden"))) char __libc_single_threaded = 0;
#endif
