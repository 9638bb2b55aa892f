/** The board as a React state that follows the stream while the page is open. */
import { useEffect, useReducer, useRef } from "react";
import { followStream, type StreamFollower } from "../api/stream-link.ts";
import { type Board, type BoardAction, createBoard, updateBoard } from "./board.ts";

export interface LiveBoard {
  readonly board: Board;
  readonly dispatch: (action: BoardAction) => void;
  /** The page has a token now. */
  readonly unlock: () => void;
}

export function useBoard(): LiveBoard {
  // The link reads the position between renders, so the newest board is kept beside React's.
  const newest = useRef(createBoard());
  const follower = useRef<StreamFollower>(undefined);
  const [board, show] = useReducer((_: Board, next: Board) => next, newest.current);
  const dispatch = useRef((action: BoardAction) => {
    newest.current = updateBoard(newest.current, action);
    show(newest.current);
  }).current;
  useEffect(() => {
    follower.current = followStream({ board: () => newest.current, dispatch });
    return () => follower.current?.close();
  }, [dispatch]);
  return { board, dispatch, unlock: () => follower.current?.unlock() };
}
