/* REPEAT(M) names twelve independent accumulators, enough for two pipes of latency four or five. */
#define REPEAT(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#define DECLARE(i) VEC a##i = zero;
#define KEEP(i) __asm__ volatile("" : : REGISTER(a##i));
