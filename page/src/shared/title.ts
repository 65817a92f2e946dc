/* The title of the window. */
import { useEffect } from "react";
import { visible } from "./format";

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title ? `${visible(title)} · Stepwell` : "Stepwell";
  }, [title]);
}
