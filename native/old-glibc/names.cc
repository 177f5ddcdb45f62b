// Linked against but never loaded (CMakeLists.txt). It gives functions that glibc 2.34 moved into libc.so.6 their
// earlier library and version, so that a build on a new system loads on an old one. New systems keep these names.
extern "C" {
#ifdef SRRL_LIBPTHREAD
void pthread_once() {}
#else
void dladdr() {}
void dlerror() {}
void dlopen() {}
void dlsym() {}
#endif
}
