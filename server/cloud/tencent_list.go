package cloud

import (
	"context"
	"sync"
)

const (
	onlinePageSize = 100    // streams, the maximum of the API
	maxOnlineList  = 20_000 // streams, the longest list that the API returns

	// maxConcurrentPages bounds concurrent requests. With responses in a third of a
	// second, from another continent, the longest list takes eight seconds. More would
	// not be faster than the budget.
	maxConcurrentPages = 8
)

// onlinePage is one page of the list.
type onlinePage struct {
	TotalNum   *int
	OnlineInfo []struct{ StreamName string }
}

// ForEachOnline calls yield with the live code of every push, one at a time, by
// DescribeLiveStreamOnlineList: https://www.tencentcloud.com/document/product/267/30798.
// The provider sends pages while pushes begin and end, so ErrIncomplete is returned if
// their number changed meanwhile. After an error, the codes yielded are online still.
func (t *Tencent) ForEachOnline(ctx context.Context, yield func(code string)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	first, err := t.readOnlinePage(ctx, 1)
	if err != nil {
		return err
	}
	for _, s := range first.OnlineInfo {
		yield(s.StreamName)
	}
	var (
		total = *first.TotalNum
		last  = (min(total, maxOnlineList) + onlinePageSize - 1) / onlinePageSize
		pages = make(chan int)
		wg    sync.WaitGroup

		mu      sync.Mutex // guards yield and the variables below
		listed  = len(first.OnlineInfo)
		changed bool
	)
	for range min(maxConcurrentPages, last-1) {
		wg.Go(func() {
			for n := range pages {
				page, err := t.readOnlinePage(ctx, n)
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				listed += len(page.OnlineInfo)
				changed = changed || *page.TotalNum != total
				for _, s := range page.OnlineInfo {
					yield(s.StreamName)
				}
				mu.Unlock()
			}
		})
	}
	for n := 2; n <= last && ctx.Err() == nil; n++ {
		select {
		case pages <- n:
		case <-ctx.Done():
		}
	}
	close(pages)
	wg.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case changed, listed != total:
		return ErrIncomplete
	}
	return nil
}

func (t *Tencent) readOnlinePage(ctx context.Context, number int) (page onlinePage, err error) {
	err = t.callAPI(ctx, t.live, "DescribeLiveStreamOnlineList", struct {
		tencentStreamID
		PageNum, PageSize int
	}{t.streamID(""), number, onlinePageSize}, &page)
	if err == nil && (page.TotalNum == nil || *page.TotalNum < 0) {
		err = errMalformed
	}
	return page, err
}
