// Never loaded, only linked against (CMakeLists.txt): gives functions that glibc 2.34 moved into libc.so.6 the library
// and the version that they had before, so that what is built on a new system still loads on an old one. New systems
// keep these names.
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
