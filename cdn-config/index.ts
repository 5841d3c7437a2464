/** Configurations of caches before the origin, rendered from the kernel's one cache policy. */
export { renderVarnish } from './varnish.ts';
