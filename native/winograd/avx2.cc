#define LANES 8
#define NAME avx2
#include "winograd/functions.inc"
