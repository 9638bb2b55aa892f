/** The board as a React state that follows the stream while the page is open. */
import { useEffect, useReducer, useRef } from "react";
import { followStream } from "../api/stream-link.ts";
import { type Board, type BoardAction, createBoard, updateBoard } from "./board.ts";

export function useBoard(): [Board, (action: BoardAction) => void] {
  // The link reads the position between renders, so the newest board is kept beside React's.
  const newest = useRef(createBoard());
  const [board, show] = useReducer((_: Board, next: Board) => next, newest.current);
  const dispatch = useRef((action: BoardAction) => {
    newest.current = updateBoard(newest.current, action);
    show(newest.current);
  }).current;
  useEffect(() => followStream({ board: () => newest.current, dispatch }), [dispatch]);
  return [board, dispatch];
}
