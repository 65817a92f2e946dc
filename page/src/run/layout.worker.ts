/* Lays out one graph a message, beside the page. */

import { lay, type Shape } from "./layout";

self.onmessage = (message: MessageEvent<{ asked: number; shape: Shape }>) => {
  const { asked, shape } = message.data;
  self.postMessage({ asked, layout: lay(shape) });
};
