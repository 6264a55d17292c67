#define VLM_ROW_LEVEL avx512vnni
#define VLM_ROW_RARE_LEVEL avx2
#include "runtime/kernels/rowops_body.h"
