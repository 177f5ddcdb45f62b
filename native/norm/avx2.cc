#define LANES 8
#define NAME avx2
#include "norm/functions.inc"
