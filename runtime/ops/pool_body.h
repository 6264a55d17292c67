/* Pooling of one plane for the element type REAL, named by POOL(name). Included by pool.c once per type. */

/* y = max (or sum) of the window values of each output position; sums run over the taps in order. Positions without taps give `empty`. */
static void POOL(plane)(const vlm_pool_window *w, bool max, REAL empty, const REAL *x, REAL *y) {
  for (int64_t z = 0; z < w->out[0]; z++)
    for (int64_t r = 0; r < w->out[1]; r++, y += w->out[2]) {
      int64_t z0, z1, r0, r1;
      vlm_pool_taps(w, 0, z, &z0, &z1);
      vlm_pool_taps(w, 1, r, &r0, &r1);
      for (int64_t i = 0; i < w->out[2]; i++) y[i] = empty;
      for (int64_t kz = z0; kz < z1; kz++)
        for (int64_t kr = r0; kr < r1; kr++) {
          int64_t iz = z * w->stride[0] - w->before[0] + kz * w->dilation[0];
          int64_t ir = r * w->stride[1] - w->before[1] + kr * w->dilation[1];
          POOL(row)(w, max, x + (iz * w->in[1] + ir) * w->in[2], y);
        }
    }
}
