#define LANES 16
#define NAME avx512
#include "norm/functions.inc"
