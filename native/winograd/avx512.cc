#define LANES 16
#define NAME avx512
#include "winograd/functions.inc"
