/* Time that only goes forward, for durations. */
#ifndef VLM_BASE_CLOCK_H
#define VLM_BASE_CLOCK_H

/* Milliseconds since some moment of the past. */
double vlm_clock_ms(void);

#endif
