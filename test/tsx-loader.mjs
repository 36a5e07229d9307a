/** Preload that teaches every thread of a test process, workers too, to load TypeScript. */
import { register } from "tsx/esm/api";

register();
